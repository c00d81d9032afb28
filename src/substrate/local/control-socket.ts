// One end of the control connection: whole messages with their descriptors, in order, both ways. Both the
// hypervisor and its clients use it. Says nothing about what messages mean.
import {
  type ControlMessage,
  decodeControl,
  encodeControl,
  isWellFormed,
  MAX_CONTROL_BYTES,
} from '../../../protocol/local-control.js'
import { type NativeFdWatcher, native, PollEvent } from '../../native.js'

/** Messages taken in one go before other descriptors get their turn. */
const MESSAGES_A_TURN = 64
/** Unsent messages at which a peer that does not read is given up. */
const MAX_UNSENT = 20_000

export interface ControlSocketHandlers {
  /** The receiver owns `fds`. */
  onMessage(message: ControlMessage, fds: number[]): void
  /** Called once, when the peer has gone or broke the protocol. */
  onClose(): void
}

export class ControlSocket {
  readonly #fd: number
  readonly #watcher: NativeFdWatcher
  readonly #handlers: ControlSocketHandlers
  readonly #unsent: { bytes: Uint8Array; fds: number[] }[] = []
  readonly #buffer = new Uint8Array(MAX_CONTROL_BYTES)
  #closed = false

  /** Takes over `fd`. */
  constructor(fd: number, handlers: ControlSocketHandlers) {
    this.#fd = fd
    this.#handlers = handlers
    this.#watcher = new (native().FdWatcher)(fd, false, (_wake, events) => {
      if ((events & PollEvent.WRITABLE) !== 0) this.#flush()
      this.drain()
      return 0
    })
    this.#watcher.start(PollEvent.READABLE)
  }

  /** Send a message; `fds` stay the caller's. False when the connection is gone. */
  send(message: ControlMessage, fds: readonly number[] = []): boolean {
    if (this.#closed) return false
    const bytes = encodeControl(message)
    if (this.#unsent.length === 0 && this.#trySend(bytes, fds)) return true
    if (this.#closed) return false
    if (this.#unsent.length >= MAX_UNSENT) {
      this.#end()
      return false
    }
    // The caller may close its descriptors meanwhile.
    const copies: number[] = []
    try {
      for (const fd of fds) copies.push(native().duplicate(fd))
    } catch {
      // Out of descriptors: what the peer was to have cannot wait, so the peer starts again.
      for (const fd of copies) native().closeFd(fd)
      setImmediate(() => this.#end())
      return false
    }
    this.#unsent.push({ bytes, fds: copies })
    this.#watcher.start(PollEvent.READABLE | PollEvent.WRITABLE)
    return true
  }

  /** Take what has arrived, now: for whoever needs the order between this connection and another descriptor. */
  drain(): void {
    for (let taken = 0; taken < MESSAGES_A_TURN && !this.#closed; taken++) {
      const received = this.#receive()
      if (received === undefined) return
      const message = decodeControl(this.#buffer.subarray(0, received.bytes))
      if (message === undefined || (message.sequence === 0 && !isWellFormed(message))) {
        for (const fd of received.fds) native().closeFd(fd)
        this.#end()
        return
      }
      this.#handlers.onMessage(message, received.fds)
    }
  }

  ref(): void {
    if (!this.#closed) this.#watcher.ref()
  }

  unref(): void {
    if (!this.#closed) this.#watcher.unref()
  }

  /** Close without telling `onClose`. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#watcher.close()
    native().closeFd(this.#fd)
    for (const { fds } of this.#unsent) for (const fd of fds) native().closeFd(fd)
    this.#unsent.length = 0
  }

  #receive(): { bytes: number; fds: number[] } | undefined {
    try {
      const received = native().receiveMessage(this.#fd, this.#buffer)
      if (received === null) return undefined
      if (received.bytes > 0) return received
    } catch {
      // ECONNRESET, or a message that is none: the connection is over either way.
    }
    this.#end()
    return undefined
  }

  #trySend(bytes: Uint8Array, fds: readonly number[]): boolean {
    try {
      return native().sendMessage(this.#fd, bytes, fds)
    } catch {
      // EPIPE: its end is seen by the watcher as well, but a sender must not wait for it.
      setImmediate(() => this.#end())
      return false
    }
  }

  #flush(): void {
    while (this.#unsent.length > 0 && !this.#closed) {
      const next = this.#unsent[0]!
      if (!this.#trySend(next.bytes, next.fds)) return
      for (const fd of next.fds) native().closeFd(fd)
      this.#unsent.shift()
    }
    if (!this.#closed) this.#watcher.start(PollEvent.READABLE)
  }

  #end(): void {
    if (this.#closed) return
    this.close()
    this.#handlers.onClose()
  }
}
