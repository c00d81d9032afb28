// One end of the control connection: whole messages with their descriptors, in order, both ways. Both the
// hypervisor and its clients use it. Says nothing about what messages mean.
import {
  type ControlMessage,
  decodeControl,
  encodeControl,
  isWellFormed,
  MAX_CONTROL_BYTES,
} from '../../../protocol/local-control.js'
import { type NativeFdWatcher, type NativeMessage, native, PollEvent, systemError } from '../../native.js'

/** Messages taken in one go before other descriptors get their turn. */
const MESSAGES_A_TURN = 64
/** Unsent messages at which a peer that does not read is given up. */
const MAX_UNSENT = 20_000
/** Descriptors kept open for a peer that does not read. */
const MAX_UNSENT_FDS = 1024

export interface ControlSocketOptions {
  /** The receiver owns `fds`. `fdsLost`: there were more, for which this process had no room. */
  onMessage(message: ControlMessage, fds: number[], fdsLost: boolean): void
  /** Called once, when the peer has gone or broke the protocol. */
  onClose(): void
  /** Take no message while one waits to be sent: a peer that reads no answers then asks nothing more. */
  readonly answersFirst?: boolean
}

export class ControlSocket {
  readonly #fd: number
  readonly #watcher: NativeFdWatcher
  readonly #options: ControlSocketOptions
  readonly #unsent: { bytes: Uint8Array; fds: number[] }[] = []
  readonly #buffer = new Uint8Array(MAX_CONTROL_BYTES)
  #unsentFds = 0
  #closed = false

  /** Takes over `fd`. */
  constructor(fd: number, options: ControlSocketOptions) {
    this.#fd = fd
    this.#options = options
    this.#watcher = new (native().FdWatcher)(fd, false, (_wake, events) => {
      if ((events & PollEvent.WRITABLE) !== 0) this.#flush()
      this.drain()
      // It left with messages of ours unread, and the poll has ended: who takes no message now would never see it.
      if ((events & PollEvent.DISCONNECT) !== 0) this.#end()
      return 0
    })
    this.#watcher.start(PollEvent.READABLE)
  }

  /**
   * Send a message; `fds` stay the caller's. Dropped when the connection is gone.
   * @throws ConduitError EMFILE, SYSTEM when descriptors cannot be sent now: the message is not, the connection goes on
   */
  send(message: ControlMessage, fds: readonly number[] = []): void {
    if (this.#closed) return
    const bytes = encodeControl(message)
    if (this.#unsent.length === 0 && this.#trySend(bytes, fds)) return
    if (this.#closed) return
    if (this.#unsent.length >= MAX_UNSENT) {
      this.#end()
      return
    }
    // The caller may close its descriptors meanwhile.
    this.#unsent.push({ bytes, fds: this.#duplicates(fds) })
    this.#unsentFds += fds.length
    this.#watch()
  }

  /** Take what has arrived, now: for whoever needs the order between this connection and another descriptor. */
  drain(): void {
    for (let taken = 0; taken < MESSAGES_A_TURN && this.#reads; taken++) {
      const received = this.#receive()
      if (received === undefined) return
      const message = decodeControl(this.#buffer.subarray(0, received.bytes))
      if (message === undefined || (message.sequence === 0 && !isWellFormed(message))) {
        for (const fd of received.fds) native().closeFd(fd)
        this.#end()
        return
      }
      this.#options.onMessage(message, received.fds, received.fdsLost)
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

  get #reads(): boolean {
    return !this.#closed && (this.#options.answersFirst !== true || this.#unsent.length === 0)
  }

  #watch(): void {
    this.#watcher.start((this.#reads ? PollEvent.READABLE : 0) | (this.#unsent.length > 0 ? PollEvent.WRITABLE : 0))
  }

  #receive(): NativeMessage | undefined {
    try {
      const received = native().receiveMessage(this.#fd, this.#buffer)
      if (received === null) return undefined
      if (received.bytes > 0) return received
      // The end; or an empty datagram, which may carry descriptors all the same.
      for (const fd of received.fds) native().closeFd(fd)
    } catch {
      // ECONNRESET, or a message that is none: the connection is over either way.
    }
    this.#end()
    return undefined
  }

  /** False when the message has to wait, or the connection is gone. */
  #trySend(bytes: Uint8Array, fds: readonly number[]): boolean {
    try {
      return native().sendMessage(this.#fd, bytes, fds)
    } catch (cause) {
      // Too many in flight to other processes (ETOOMANYREFS), or more than a message holds: this message's failure.
      const { code } = cause as NodeJS.ErrnoException
      if (fds.length > 0 && code !== 'EPIPE' && code !== 'ECONNRESET') {
        throw systemError(cause, `pass ${fds.length} descriptors`)
      }
      // The end is seen by the watcher as well, but a sender must not wait for it.
      setImmediate(() => this.#end())
      return false
    }
  }

  #duplicates(fds: readonly number[]): number[] {
    const copies: number[] = []
    try {
      if (this.#unsentFds + fds.length > MAX_UNSENT_FDS) throw Object.assign(new Error('too many'), { code: 'EMFILE' })
      for (const fd of fds) copies.push(native().duplicate(fd))
    } catch (cause) {
      for (const fd of copies) native().closeFd(fd)
      throw systemError(cause, `keep ${fds.length} descriptors for a process that does not read`)
    }
    return copies
  }

  #flush(): void {
    while (this.#unsent.length > 0 && !this.#closed) {
      const next = this.#unsent[0]!
      try {
        if (!this.#trySend(next.bytes, next.fds)) return
      } catch {
        // What it was promised cannot be had: the peer has to start again.
        this.#end()
        return
      }
      for (const fd of next.fds) native().closeFd(fd)
      this.#unsentFds -= next.fds.length
      this.#unsent.shift()
    }
    if (!this.#closed) this.#watch()
  }

  #end(): void {
    if (this.#closed) return
    this.close()
    this.#options.onClose()
  }
}
