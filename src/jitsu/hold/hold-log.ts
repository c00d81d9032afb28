// What a held address says of clients that it had to reset: one line for all of one cause at a time, since a thousand clients may
// have waited for the same boot, and whoever floods the address must not flood the log.
import type { Clock, Timer } from '../../conduit/clock.js'
import { isConduitError } from '../../errors.js'

/** After a line, the next of the same address waits so long, and counts. */
const PAUSE_MS = 1000

/** Where lines go; pino's logger is one. */
export interface HoldLogger {
  /** What goes on as it should. */
  info(fields: object, message: string): void
  /** What an operator may want to act on. */
  warn(fields: object, message: string): void
}

export const silent: HoldLogger = { info: () => undefined, warn: () => undefined }

export class ResetLog {
  readonly #logger: HoldLogger
  readonly #fields: object
  readonly #clock: Clock
  readonly #causes = new Map<string, { clients: number; error: unknown }>()
  #pause: Timer | undefined

  constructor(logger: HoldLogger, fields: object, clock: Clock) {
    this.#logger = logger
    this.#fields = fields
    this.#clock = clock
  }

  /** A client was reset because of this. */
  add(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    const same = this.#causes.get(reason)
    if (same !== undefined) same.clients++
    else this.#causes.set(reason, { clients: 1, error })
    if (this.#pause !== undefined) return
    this.#wait()
    setImmediate(() => this.flush())
  }

  /** Write what has not been written, now. */
  flush(): void {
    for (const [reason, { clients, error }] of this.#causes) {
      const details = isConduitError(error) ? { code: error.code, hint: error.hint } : {}
      this.#logger.warn({ ...this.#fields, clients, reason, ...details }, 'clients of a held address were reset')
    }
    this.#causes.clear()
  }

  #wait(): void {
    this.#pause = this.#clock.after(PAUSE_MS, () => {
      this.#pause = undefined
      if (this.#causes.size === 0) return
      this.#wait()
      this.flush()
    })
    this.#pause.unref()
  }
}
