// After a restart: whether what was there before still is, by its launcher's word.
import { startDeadline, untilAborted } from '../conduit/deadline.js'
import { ConduitError } from '../errors.js'
import type { DirectoryContext } from './directory-context.js'
import type { Launched, Launcher } from './launcher.js'

/** Undefined when it has ended. @throws ConduitError LAUNCHER when that cannot be told */
export async function findAgain(
  { clock, log }: Pick<DirectoryContext, 'clock' | 'log'>,
  { name, launcher }: { readonly name: string; readonly launcher: Launcher },
  { token, timeoutMs }: { readonly token: unknown; readonly timeoutMs: number },
): Promise<Launched | undefined> {
  const late = new ConduitError('LAUNCHER', `no answer in ${timeoutMs / 1000} s`)
  const limit = startDeadline(clock, { timeoutMs, onTimeout: () => late })
  try {
    const found = launcher.adopt(token, {
      service: name,
      signal: limit.signal,
      created: async () => undefined,
      step: () => undefined,
      log: (line) => log.debug(line, { service: name }),
    })
    return await untilAborted(found, limit.signal)
  } finally {
    limit.clear()
  }
}
