// ATTACH: the first words on a control connection, by which a process becomes a domain. Answered within the caller's
// limit or given up; whom to talk to, and what to make of the answer, is attachment.ts's.
import { CONTROL_VERSION, ControlType } from '../../../protocol/local-control.js'
import { ConduitError } from '../../errors.js'
import type { Answer, ControlClient } from './control-client.js'

export interface IntroductionLimit {
  /** What is left of it. */
  readonly limitMs: number
  /** The whole time allowed, and the directory: for the error's text. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
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
  { limitMs, timeoutMs, signal, directory }: IntroductionLimit,
): Promise<Answer | undefined> {
  let stop = (): void => {}
  const givenUp = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal?.reason)
    const timer = setTimeout(() => reject(unanswered(directory, timeoutMs)), Math.max(0, limitMs))
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
    client.close(unanswered(directory, timeoutMs))
    throw error
  } finally {
    stop()
  }
}

export function unanswered(directory: string, timeoutMs: number): ConduitError {
  const message = `the local hypervisor in ${directory} does not answer: waited ${timeoutMs} ms`
  return new ConduitError('SUBSTRATE_UNAVAILABLE', message, {
    endpoint: directory,
    hint: 'it is stopped or hangs: continue or end that process, or set CONDUIT_RUNTIME_DIR',
  })
}
