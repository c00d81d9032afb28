// The deaths of peers: for each process that this one shares pages or ports with it holds one end of a socket pair.
// The kernel hangs it up when the other process ends, by whatever cause; no hypervisor is needed for that.
import { ConduitError } from '../../errors.js'
import { descriptorsLost, type NativeFdWatcher, native, PollEvent } from '../../native.js'

/** A process that this one has met. What is shared with it later ends with it, whatever its domid becomes. */
export interface Acquaintance {
  readonly domid: number
}

interface Held extends Acquaintance {
  readonly watcher: NativeFdWatcher
  readonly fd: number
}

export class Acquaintances {
  readonly #held = new Set<Held>()
  /** Whom the hypervisor introduced last, by domid. */
  readonly #latest = new Map<number, Held>()
  /** Domids whose end of the pair found no room here. */
  readonly #missed = new Set<number>()
  readonly #onDeath: (acquaintance: Acquaintance) => void

  constructor(onDeath: (acquaintance: Acquaintance) => void) {
    this.#onDeath = onDeath
  }

  /** Takes over `fd`, whose other end `domid` holds. */
  add(domid: number, fd: number): void {
    const watcher = new (native().FdWatcher)(fd, false, () => {
      // Nothing is ever written to it: any readiness is the hang-up.
      this.#drop(held)
      this.#onDeath(held)
      return 0
    })
    const held: Held = { domid, watcher, fd }
    this.#held.add(held)
    this.#latest.set(domid, held)
    this.#missed.delete(domid)
    watcher.start(PollEvent.READABLE | PollEvent.DISCONNECT)
  }

  /** The end of the pair was lost on its way here: nothing tells of `domid`'s death until there is another. */
  miss(domid: number): void {
    this.#latest.delete(domid)
    this.#missed.add(domid)
  }

  /** Whose death is noticed under `domid`; undefined when it has died or was missed. */
  find(domid: number): Acquaintance | undefined {
    return this.#latest.get(domid)
  }

  /**
   * The same where it must be: what would be shared with a process whose death goes unnoticed is not shared.
   * @throws ConduitError EMFILE, or `gone` when it has died
   */
  require(domid: number, gone: ConduitError['code']): Acquaintance {
    const found = this.find(domid)
    if (found !== undefined) return found
    if (this.#missed.has(domid)) throw descriptorsLost(`meet domain ${domid}`)
    throw new ConduitError(gone, `domain ${domid} has gone`, { domid })
  }

  close(): void {
    for (const held of this.#held) this.#drop(held)
  }

  #drop(held: Held): void {
    if (!this.#held.delete(held)) return
    if (this.#latest.get(held.domid) === held) this.#latest.delete(held.domid)
    held.watcher.close()
    native().closeFd(held.fd)
  }
}
