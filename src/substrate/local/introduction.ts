// ATTACH: the first words on a control connection, by which a process becomes a domain. Answered within the caller's
// limit or given up; whom to talk to, and what to make of the answer, is attachment.ts's.
import { CONTROL_VERSION, ControlType } from '../../../protocol/local-control.js'
import { ConduitError } from '../../errors.js'
import type { Answer, ControlClient } from './control-client.js'

export interface IntroductionLimit {
  readonly limitMs: number
  readonly signal: AbortSignal | undefined
  /** For the error's text. */
  readonly directory: string
}

/**
 * The answer to ATTACH; undefined when the hypervisor left instead.
 * @param wanted the domid to have again, or NONE
 * @throws ConduitError SUBSTRATE_UNAVAILABLE when the limit is over; the signal's reason. The connection is closed then.
 */
export async function introduce(
  client: ControlClient,
  wanted: number,
  { limitMs, signal, directory }: IntroductionLimit,
): Promise<Answer | undefined> {
  let stop = (): void => {}
  const givenUp = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal?.reason)
    const timer = setTimeout(() => reject(unanswered(directory)), Math.max(0, limitMs))
    signal?.addEventListener('abort', onAbort)
    stop = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  })
  try {
    return await Promise.race([client.request(ControlType.ATTACH, [CONTROL_VERSION, wanted]), givenUp])
  } catch (error) {
    if (client.closed) return undefined
    client.close(unanswered(directory))
    throw error
  } finally {
    stop()
  }
}

export function unanswered(directory: string): ConduitError {
  return new ConduitError('SUBSTRATE_UNAVAILABLE', `the local hypervisor in ${directory} does not answer`, {
    endpoint: directory,
    hint: 'it is stopped or hangs: continue or end that process, or set CONDUIT_RUNTIME_DIR',
  })
}
