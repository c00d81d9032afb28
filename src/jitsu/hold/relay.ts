// Moves bytes both ways between a client and the service, with back-pressure, half-close and resets. Ends when both have closed.
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

export interface RelayOptions {
  /** What the client sent before: goes first. */
  readonly early: Buffer
  /** Bytes that moved, either way. */
  moved(bytes: number): void
  /** The service has sent its first byte on this connection. */
  onFirstByte(): void
  /** Called once, when both are closed. */
  onClose(): void
}

export class Relay {
  readonly #client: Duplex
  readonly #service: Duplex
  readonly #options: RelayOptions
  #open = 2

  /** Both with `allowHalfOpen`. Nobody else reads or writes them. */
  constructor(client: Duplex, service: Duplex, options: RelayOptions) {
    this.#client = client
    this.#service = service
    this.#options = options
    service.once('data', () => options.onFirstByte())
    this.#join(client, service)
    this.#join(service, client)
    if (options.early.length > 0) {
      options.moved(options.early.length)
      if (!service.write(options.early)) client.pause()
    }
  }

  /** Both sides see a reset. Idempotent. */
  reset(): void {
    resetStream(this.#client)
    resetStream(this.#service)
  }

  #join(from: Duplex, to: Duplex): void {
    from.on('data', (chunk: Buffer) => {
      this.#options.moved(chunk.length)
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => from.resume())
    from.once('end', () => to.end())
    // What it was follows in `close`, and the other side can be told no more than that.
    from.on('error', () => undefined)
    from.once('close', () => {
      // Closed before both directions had ended: the other side must not take it for a clean end.
      if (!from.readableEnded || !from.writableFinished) resetStream(to)
      if (--this.#open === 0) this.#options.onClose()
    })
  }
}

/** Destroy it so that its peer sees a reset; a ConduitSocket's peer does whenever it is destroyed. */
export function resetStream(stream: Duplex): void {
  if (stream.destroyed) return
  if (stream instanceof Socket && !stream.connecting && isTcp(stream)) stream.resetAndDestroy()
  else stream.destroy()
}

/** Nothing else can be reset: node throws for a unix socket. What TLS is over sees the missing close_notify. */
const isTcp = (socket: Socket): boolean => !(socket instanceof TLSSocket) && socket.remotePort !== undefined
