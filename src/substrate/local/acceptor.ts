// Takes whoever comes to a listening unix socket; when this process may open no more descriptors, they wait in its queue
// until others have left. Who they are is the taker's business.
import { type NativeFdWatcher, native, PollEvent } from '../../native.js'

/** How long it takes nobody in after it ran out of descriptors. */
const PAUSE_MS = 100

export class Acceptor {
  readonly #listener: number
  readonly #watcher: NativeFdWatcher
  #closed = false

  /** Takes over `listener`; `take` owns the descriptor it is given. Keeps the event loop alive. */
  constructor(listener: number, take: (fd: number) => void) {
    this.#listener = listener
    this.#watcher = new (native().FdWatcher)(listener, false, () => {
      try {
        for (let fd = native().unixAccept(listener); fd >= 0; fd = native().unixAccept(listener)) take(fd)
      } catch {
        this.#pause()
      }
      return 0
    })
    this.#watcher.ref()
    this.#watcher.start(PollEvent.READABLE)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#watcher.close()
    native().closeFd(this.#listener)
  }

  #pause(): void {
    this.#watcher.start(0)
    setTimeout(() => {
      if (!this.#closed) this.#watcher.start(PollEvent.READABLE)
    }, PAUSE_MS)
  }
}
