// A client that waits for the service: its descriptor, what of its bytes was taken, and whether it is still there. What it
// waits for and who gets it is others' business.
import { ConduitError } from '../../errors.js'
import { type NativeFdWatcher, native, PollEvent, TcpState } from '../../native.js'
import { KeptBytes } from './kept-bytes.js'

/** Bytes taken before other connections get their turn. */
const TURN_BYTES = 65_536

/** A connection as whoever takes it over gets it. */
export interface ReleasedConnection {
  /** Owned by the taker. */
  readonly fd: number
  /** What came before anything that can still be read from `fd`. */
  readonly early: Buffer
}

export class HeldConnection {
  readonly fd: number
  readonly #kept: KeptBytes | undefined
  readonly #watcher: NativeFdWatcher
  readonly #gone = new AbortController()
  #ended = false
  #over = false

  /**
   * Takes over `fd`, of a TCP connection.
   * @param keepBytes most bytes to take; 0 to leave all of them to the kernel, unread
   */
  constructor(fd: number, keepBytes: number) {
    this.fd = fd
    this.#kept = keepBytes > 0 ? new KeptBytes(keepBytes) : undefined
    this.#watcher = new (native().FdWatcher)(fd, false, (_wake, events) => {
      this.#look(events)
      return 0
    })
    this.#watch()
  }

  /** Aborts with ECONNRESET when the client has reset the connection. One that has only ended its direction is still there. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** Bytes of the client that are kept here. */
  get keptBytes(): number {
    return this.#kept?.bytes.length ?? 0
  }

  /** Give it to a taker: nothing is watched or read here any more. */
  release(): ReleasedConnection {
    this.#stop()
    return { fd: this.fd, early: this.#kept?.bytes ?? Buffer.alloc(0) }
  }

  /** Close this process's descriptor and nothing else: another process has the connection. Idempotent. */
  letGo(): void {
    if (this.#stop()) native().closeFd(this.fd)
  }

  /** Idempotent. The client sees a reset, also one that is in another process by now. */
  reset(): void {
    if (this.#stop()) resetAndClose(this.fd)
  }

  #stop(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#watcher.close()
    return true
  }

  #watch(): void {
    // The client's end would be told again and again. After it only a reset can come, which every poll tells.
    if (this.#ended) this.#watcher.start(PollEvent.PRIORITIZED)
    else if (this.#kept !== undefined && !this.#kept.full) this.#watcher.start(PollEvent.READABLE)
    else this.#watcher.start(PollEvent.DISCONNECT)
  }

  #look(events: number): void {
    if ((events & PollEvent.READABLE) !== 0) this.#take()
    const state = native().tcpState(this.fd)
    if (state === TcpState.CLOSED) this.#isGone()
    // An urgent byte before the end would wake us without end.
    else if ((events & PollEvent.PRIORITIZED) !== 0) this.#watcher.start(0)
    else {
      if ((events & PollEvent.DISCONNECT) !== 0) this.#ended = true
      this.#watch()
    }
  }

  #take(): void {
    try {
      for (let taken = 0; taken < TURN_BYTES && !this.#kept!.full; ) {
        const bytes = native().readBytes(this.fd, this.#kept!.room())
        if (bytes === 0) this.#ended = true
        if (bytes <= 0) return
        this.#kept!.filled(bytes)
        taken += bytes
      }
    } catch {
      // A reset: the state says so.
    }
  }

  #isGone(): void {
    if (!this.#stop()) return
    native().closeFd(this.fd)
    this.#gone.abort(new ConduitError('ECONNRESET', 'the client has gone'))
  }
}

/** Reset a TCP connection, whoever else has a descriptor of it, and close this one. */
export function resetAndClose(fd: number): void {
  try {
    native().tcpReset(fd)
  } finally {
    native().closeFd(fd)
  }
}
