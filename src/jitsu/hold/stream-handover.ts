// Hands connections over as a byte stream: a conduit to whoever listens under a name, or TCP to a guest's own address.
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../conduit/clock.js'
import { native, systemError } from '../../native.js'
import type { Service } from '../summon.js'
import { dialInTime } from './dial-in-time.js'
import type { Handover } from './handover.js'
import { type HeldConnection, resetAndClose } from './held-connection.js'
import { Relay, resetStream } from './relay.js'
import { Turnstile } from './turnstile.js'

/** Connections on their way to one service: more would only fill its queue. */
const DIALS_AT_ONCE = 64
/** When a client that says nothing is asked whether it is still there. */
const KEEP_ALIVE_MS = 60_000

export interface StreamHandoverOptions {
  readonly clock: Clock
  readonly keepBytes: number
  /** Milliseconds until the service must have taken a connection. */
  readonly limitMs: number
  /** Where the service is, for messages. */
  readonly target: string
  dial(signal: AbortSignal, number: number): Promise<Duplex>
  /** For `conduit`. */
  readonly openChannel?: ((address: string, signal: AbortSignal) => Promise<Duplex>) | undefined
}

export class StreamHandover implements Handover {
  readonly #options: StreamHandoverOptions
  readonly #turnstile = new Turnstile(DIALS_AT_ONCE)
  readonly #relays = new Set<Relay>()

  constructor(options: StreamHandoverOptions) {
    this.#options = options
  }

  get keepBytes(): number {
    return this.#options.keepBytes
  }

  get relayed(): number {
    return this.#relays.size
  }

  get openChannel(): Handover['openChannel'] {
    return this.#options.openChannel
  }

  async hand(connection: HeldConnection, service: Service): Promise<void> {
    const leave = await this.#turnstile.enter(connection.gone)
    try {
      const { clock, limitMs, target } = this.#options
      const { openChannel } = this
      const channel = openChannel && service.takeChannel?.()
      const attempt = (signal: AbortSignal, number: number) =>
        channel !== undefined && number === 0 ? openChannel!(channel, signal) : this.#options.dial(signal, number)
      const stream = await dialInTime({ clock, limitMs, target, signal: connection.gone, attempt })
      if (connection.gone.aborted) resetStream(stream)
      connection.gone.throwIfAborted()
      this.relay(connection, stream, service)
    } finally {
      leave()
    }
  }

  relay(connection: HeldConnection, stream: Duplex, service: Service): void {
    const { fd, early } = connection.release()
    const client = clientSocket(fd, stream)
    const use = service.use()
    const relay: Relay = new Relay(client, stream, {
      early,
      moved: (bytes) => use.moved(bytes),
      onFirstByte: () => service.sawFirstByte(),
      onClose: () => {
        this.#relays.delete(relay)
        use.release()
      },
    })
    this.#relays.add(relay)
  }

  reset(): void {
    for (const relay of this.#relays) relay.reset()
  }
}

function clientSocket(fd: number, stream: Duplex): Socket {
  try {
    const socket = new Socket({ fd, allowHalfOpen: true })
    native().releaseFd(fd)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    return socket
  } catch (cause) {
    resetStream(stream)
    resetAndClose(fd)
    throw systemError(cause, 'relay a connection')
  }
}
