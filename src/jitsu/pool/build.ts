// One instance that is being built for a pool: within a time limit, and with whatever comes after that taken away.
import { startDeadline, untilAborted } from '../../conduit/deadline.js'
import { ConduitError } from '../../errors.js'
import { LAUNCH_GRACE_MS } from '../boot-attempt.js'
import type { Launcher, PrepareContext, Prepared } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'

export interface BuildOptions {
  readonly service: string
  readonly launcher: Launcher
  readonly clock: MonotonicClock
  /** For the launcher to come back with it. */
  readonly limitMs: number
  log(line: string): void
  /** Take away what came too late. Never rejects. */
  onLate(prepared: Prepared): void
}

export class Build {
  readonly launcher: Launcher
  /** Rejects when it failed, took too long or was given up. */
  readonly built: Promise<Prepared>
  /** Resolves when the launcher has come back, or is not waited for any more. */
  readonly over: Promise<void>
  readonly #given = new AbortController()

  constructor(options: BuildOptions) {
    const { service, launcher, clock, limitMs, log } = options
    this.launcher = launcher
    const limit = startDeadline(clock, {
      signal: this.#given.signal,
      timeoutMs: limitMs,
      onTimeout: () => new ConduitError('LAUNCHER', `it is not built after ${limitMs / 1000} s`),
    })
    const preparing = prepare(launcher, { service, signal: limit.signal, log })
    this.built = untilAborted(preparing, limit.signal).finally(() => limit.clear())
    this.over = this.built.then(
      () => undefined,
      () => late(preparing, options),
    )
  }

  get givenUp(): boolean {
    return this.#given.signal.aborted
  }

  giveUp(): void {
    this.#given.abort(new ConduitError('LAUNCHER', 'it is not wanted any more'))
  }
}

/** A launcher of somebody else's may throw where it should reject. */
const prepare = async (launcher: Launcher, context: PrepareContext): Promise<Prepared> =>
  (launcher.prepare as NonNullable<Launcher['prepare']>)(context)

async function late(preparing: Promise<Prepared>, { clock, onLate }: BuildOptions): Promise<void> {
  const settled = preparing.then(onLate, () => undefined)
  const grace = startDeadline(clock, {
    timeoutMs: LAUNCH_GRACE_MS,
    onTimeout: () => new ConduitError('LAUNCHER', 'the launcher does not come back'),
  })
  await untilAborted(settled, grace.signal).catch(() => undefined)
  grace.clear()
}
