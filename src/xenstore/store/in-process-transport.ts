// A client and the embedded store in one process, joined as if by a socket: bytes arrive in a later turn of the event
// loop, in order. Cannot exert back-pressure: the client here is ours, and reads.
import type { XenstoreTransport } from '../transport.js'
import type { StoreConnection, StorePeer } from './store-connection.js'

/** One direction: what was sent in one turn arrives in the next, in one go. */
class Courier {
  readonly #deliver: (bytes: Buffer) => void
  #parcels: Buffer[] = []

  constructor(deliver: (bytes: Buffer) => void) {
    this.#deliver = deliver
  }

  send(bytes: Uint8Array): void {
    this.#parcels.push(Buffer.from(bytes))
    if (this.#parcels.length === 1) setImmediate(() => this.#arrive())
  }

  #arrive(): void {
    const parcels = this.#parcels
    this.#parcels = []
    this.#deliver(parcels.length === 1 ? parcels[0]! : Buffer.concat(parcels))
  }
}

/** The client's end of a connection that `connect` opens. */
export function inProcessTransport(connect: (peer: StorePeer) => StoreConnection): XenstoreTransport {
  let receiver: ((bytes: Uint8Array) => void) | undefined
  let listener: ((error?: Error) => void) | undefined
  let early: Buffer[] = []
  let closed: { error: Error | undefined } | undefined
  const toClient = new Courier((bytes) => {
    if (receiver === undefined) early.push(bytes)
    else receiver(bytes)
  })
  const connection = connect({ send: (bytes) => toClient.send(bytes), close: (error) => finish(error) })
  const toStore = new Courier((bytes) => connection.receive(bytes))
  function finish(error?: Error): void {
    if (closed !== undefined) return
    closed = { error }
    connection.close()
    // After what is under way to the client: Immediates run in the order they were asked for.
    setImmediate(() => listener?.(error))
  }
  return {
    send: (bytes) => {
      if (closed === undefined) toStore.send(bytes)
    },
    onData: (fn) => {
      receiver = fn
      const waiting = early
      early = []
      for (const bytes of waiting) fn(bytes)
    },
    onClose: (fn) => {
      listener = fn
      if (closed !== undefined) setImmediate(() => fn(closed?.error))
    },
    ref: () => {},
    unref: () => {},
    close: () => finish(),
  }
}
