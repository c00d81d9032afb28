// A request to the local hypervisor whose refusal is an error: the one place where control statuses become codes.
import { ControlStatus, ControlType } from '../../../protocol/local-control.js'
import { ConduitError, type ConduitErrorCode } from '../../errors.js'
import { descriptorsLost } from '../../native.js'
import type { Attachment } from './attachment.js'
import type { Answer } from './control-client.js'

const REFUSALS: Partial<Record<ControlStatus, readonly [ConduitErrorCode, string]>> = {
  [ControlStatus.BAD_GRANT]: ['GRANT_INVALID', 'the peer has not granted these pages to this domain, or has gone'],
  [ControlStatus.LIMIT]: ['GRANT_LIMIT', 'the local hypervisor keeps no more pages or ports for one domain'],
  [ControlStatus.BAD_PORT]: ['EVTCHN_INVALID', 'the peer has no such port for this domain, or it is bound already'],
}

/** @throws ConduitError EMFILE, GRANT_INVALID, GRANT_LIMIT, EVTCHN_INVALID, SUBSTRATE_LOST */
export async function hypercall(
  attachment: Attachment,
  type: ControlType,
  words: readonly number[],
  fds: readonly number[] = [],
): Promise<Answer> {
  const answer = await attachment.request(type, words, fds)
  if (answer.fdsLost) {
    takeBack(attachment, type, words)
    throw descriptorsLost(requestName(type))
  }
  if (answer.status === ControlStatus.OK) return answer
  if (answer.status === ControlStatus.NO_DESCRIPTORS) throw hypervisorFull(type)
  const [code, why] = REFUSALS[answer.status] ?? (['SUBSTRATE_LOST', 'the local hypervisor refused'] as const)
  throw new ConduitError(code, why, { syscall: requestName(type) })
}

/** Carried out for nobody: whoever asked has failed. */
function takeBack(attachment: Attachment, type: ControlType, words: readonly number[]): void {
  if (type === ControlType.MAP) attachment.post(ControlType.UNMAP, [words[3]!])
  if (type === ControlType.BIND) attachment.post(ControlType.CLOSE_PORT, [words[2]!])
}

function hypervisorFull(type: ControlType): ConduitError {
  return new ConduitError('EMFILE', 'the local hypervisor has too many files open', {
    errno: 'EMFILE',
    syscall: requestName(type),
    hint: 'close connections, or raise the limit (ulimit -n) of the program that starts it: whoever needs it first',
  })
}

const requestName = (type: ControlType): string =>
  Object.entries(ControlType).find(([, value]) => value === type)?.[0] ?? String(type)
