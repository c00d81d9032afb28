// One end of the connection over which jitsud hands TCP connections to a process: whole messages in order, both ways, some with a
// descriptor. Both ends use it; what messages mean is theirs.
import {
  decodeHandover,
  encodeHandover,
  type HandoverMessage,
  type HandoverType,
  MAX_HANDOVER_BYTES,
} from '../../protocol/handover.js'
import { type NativeFdWatcher, native, PollEvent } from '../native.js'

/** Messages taken before other descriptors get their turn. */
const MESSAGES_A_TURN = 64
/** Unsent messages at which a peer that does not read is given up. */
const MAX_UNSENT = 1024

export interface HandoverLinkOptions {
  /** The receiver owns `fd`; undefined when the message brought none, or this process had no room for it. */
  onMessage(message: HandoverMessage, fd: number | undefined): void
  /** Called once, when the peer has gone or broke the protocol. */
  onClose(): void
}

export class HandoverLink {
  readonly #fd: number
  readonly #watcher: NativeFdWatcher
  readonly #options: HandoverLinkOptions
  readonly #buffer = new Uint8Array(MAX_HANDOVER_BYTES)
  readonly #unsent: Uint8Array[] = []
  #closed = false

  /** Takes over `fd`, a SOCK_SEQPACKET socket. */
  constructor(fd: number, options: HandoverLinkOptions) {
    this.#fd = fd
    this.#options = options
    this.#watcher = new (native().FdWatcher)(fd, false, (_wake, events) => {
      if ((events & PollEvent.WRITABLE) !== 0) this.#flush()
      this.#drain()
      return 0
    })
    this.#watcher.start(PollEvent.READABLE)
  }

  /** The process at the other end when it connected. */
  get credentials(): { pid: number; uid: number } {
    return native().peerCredentials(this.#fd)
  }

  get closed(): boolean {
    return this.#closed
  }

  send(type: HandoverType, ...words: readonly number[]): void {
    if (this.#closed) return
    const bytes = encodeHandover(type, ...words)
    if (this.#unsent.length === 0 && this.#trySend(bytes, [])) return
    if (this.#unsent.length >= MAX_UNSENT) this.#end()
    if (this.#closed) return
    this.#unsent.push(bytes)
    this.#watcher.start(PollEvent.READABLE | PollEvent.WRITABLE)
  }

  /** False when the descriptor cannot be sent now; it stays the caller's either way. */
  sendDescriptor(type: HandoverType, word: number, fd: number): boolean {
    if (this.#closed || this.#unsent.length > 0) return false
    return this.#trySend(encodeHandover(type, word), [fd])
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
    this.#unsent.length = 0
  }

  #trySend(bytes: Uint8Array, fds: readonly number[]): boolean {
    try {
      return native().sendMessage(this.#fd, bytes, fds)
    } catch {
      // Gone, which the watcher sees; or too many descriptors under way (ETOOMANYREFS, unix(7)), which passes.
      return false
    }
  }

  #flush(): void {
    while (this.#unsent.length > 0 && this.#trySend(this.#unsent[0]!, [])) this.#unsent.shift()
    if (this.#unsent.length === 0) this.#watcher.start(PollEvent.READABLE)
  }

  #drain(): void {
    for (let taken = 0; taken < MESSAGES_A_TURN && !this.#closed; taken++) {
      const received = this.#receive()
      if (received === undefined) return
      const [fd, ...more] = received.fds
      for (const each of more) native().closeFd(each)
      const message = decodeHandover(this.#buffer.subarray(0, received.bytes))
      if (message === undefined) {
        if (fd !== undefined) native().closeFd(fd)
        this.#end()
        return
      }
      this.#options.onMessage(message, fd)
    }
  }

  #receive(): { bytes: number; fds: number[] } | undefined {
    try {
      const received = native().receiveMessage(this.#fd, this.#buffer)
      if (received === null) return undefined
      if (received.bytes > 0) return received
      for (const fd of received.fds) native().closeFd(fd)
    } catch {
      // ECONNRESET, or a message that is longer than any: over either way.
    }
    this.#end()
    return undefined
  }

  #end(): void {
    if (this.#closed) return
    this.close()
    this.#options.onClose()
  }
}
