// The deaths of peers: for each process that this one shares pages or ports with it holds one end of a socket pair.
// The kernel hangs it up when the other process ends, by whatever cause; no hypervisor is needed for that.
import { type NativeFdWatcher, native, PollEvent } from '../../native.js'

interface Acquaintance {
  readonly watcher: NativeFdWatcher
  readonly fd: number
}

export class Acquaintances {
  readonly #held = new Set<Acquaintance>()
  readonly #onDeath: (domid: number) => void

  constructor(onDeath: (domid: number) => void) {
    this.#onDeath = onDeath
  }

  /** Takes over `fd`, whose other end `domid` holds. */
  add(domid: number, fd: number): void {
    const watcher = new (native().FdWatcher)(fd, false, () => {
      // Nothing is ever written to it: any readiness is the hang-up.
      this.#drop(acquaintance)
      this.#onDeath(domid)
      return 0
    })
    const acquaintance = { watcher, fd }
    this.#held.add(acquaintance)
    watcher.start(PollEvent.READABLE | PollEvent.DISCONNECT)
  }

  close(): void {
    for (const acquaintance of this.#held) this.#drop(acquaintance)
  }

  #drop(acquaintance: Acquaintance): void {
    if (!this.#held.delete(acquaintance)) return
    acquaintance.watcher.close()
    native().closeFd(acquaintance.fd)
  }
}
