// A connection that is offered to whichever process of the service takes it: settled once, within a time limit.
import type { Clock, Timer } from '../../conduit/clock.js'
import { ConduitError } from '../../errors.js'
import type { HeldConnection } from './held-connection.js'

export interface OfferOptions {
  readonly clock: Clock
  readonly limitMs: number
  readonly service: string
  /** Counts up with each arrival. */
  readonly number: number
  /** The client has gone, or the time is over: nobody needs it any more. */
  onWithdrawn(offer: Offer): void
}

export class Offer {
  readonly connection: HeldConnection
  readonly number: number
  /** Resolves when a process has it. */
  readonly settled: Promise<void>
  #settle!: { resolve(): void; reject(error: unknown): void }
  readonly #timer: Timer
  readonly #withdraw: () => void
  #open = true

  constructor(connection: HeldConnection, options: OfferOptions) {
    this.connection = connection
    this.number = options.number
    this.settled = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.#withdraw = () => {
      options.onWithdrawn(this)
      this.failed(connection.gone.reason)
    }
    connection.gone.addEventListener('abort', this.#withdraw, { once: true })
    this.#timer = options.clock.after(options.limitMs, () => {
      options.onWithdrawn(this)
      this.failed(notTaken(options))
    })
  }

  /** Nobody took it, and somebody may still: its descriptor is open. */
  get open(): boolean {
    return this.#open
  }

  /** Another process has it: this one's descriptor goes before anybody here could touch the connection again. */
  taken(): void {
    this.#forget()
    this.connection.letGo()
    this.#settle.resolve()
  }

  /** Idempotent, and without effect once it was taken. */
  failed(error: unknown): void {
    this.#forget()
    this.#settle.reject(error)
  }

  #forget(): void {
    this.#open = false
    this.#timer.cancel()
    this.connection.gone.removeEventListener('abort', this.#withdraw)
  }
}

function notTaken({ service, limitMs }: OfferOptions): ConduitError {
  return new ConduitError(
    'ETIMEDOUT',
    `no process of ${service} took the connection for ${limitMs} ms after it was ready`,
    {
      endpoint: service,
      hint: 'does it call adoptConnections(), in the process group that its launcher started?',
    },
  )
}
