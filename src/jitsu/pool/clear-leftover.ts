// What a jitsud that was killed had prepared: looked for by its token, and destroyed. Nobody can tell whether it was about to be
// launched, so it is not taken back.
import type { PreparedRecord } from '../../../protocol/jitsud-state.js'
import { pauseAfter } from '../boot-pause.js'
import { findAgain } from '../find-again.js'
import type { Launcher } from '../launcher.js'
import { errorFields, type Logger } from '../logger.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { afterDelay } from '../readiness/delay-readiness.js'
import { stopInstance } from '../stop-instance.js'

/** How long a launcher may take to say whether it is there, and to take it away. */
const LIMIT_MS = 10_000

export interface LeftoverOptions {
  readonly service: string
  /** Of the service as it is configured now. */
  readonly launcher: Launcher
  readonly clock: MonotonicClock
  readonly log: Logger
  readonly lastChance: AbortSignal
}

/** Tried until it is gone: false when `lastChance` came first. Never rejects. */
export async function clearLeftover(leftover: PreparedRecord, options: LeftoverOptions): Promise<boolean> {
  const { service, launcher, clock, log, lastChance } = options
  if (leftover.kind !== launcher.kind) {
    log.warn(
      `${service} had an instance ready when jitsud ended, and is no longer configured so: it is not looked for`,
      {
        ...leftover,
      },
    )
    return true
  }
  for (let failures = 1; ; failures++) {
    try {
      await destroy(leftover, options)
      return true
    } catch (error) {
      if (lastChance.aborted) return false
      log.error(`${service}: an instance that was ready when jitsud ended cannot be taken away`, errorFields(error))
    }
    await afterDelay({ clock, signal: lastChance }, pauseAfter(failures)).catch(() => undefined)
    if (lastChance.aborted) return false
  }
}

/** @throws ConduitError LAUNCHER */
async function destroy({ token }: PreparedRecord, options: LeftoverOptions): Promise<void> {
  const { service: name, launcher, clock, log, lastChance } = options
  const found = await findAgain({ clock, log }, { name, launcher }, { token, timeoutMs: LIMIT_MS })
  if (found === undefined) return
  await stopInstance(found, {
    mode: 'destroy',
    limitMs: LIMIT_MS,
    clock,
    lastChance,
    onFailure: (error) => log.error(`${name}: what was ready cannot be destroyed`, errorFields(error)),
  })
  log.info(`${name}: an instance that was ready when jitsud ended is gone`, { service: name })
}
