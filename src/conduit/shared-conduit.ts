// One environment for all of a thread's callers: opened by the first, closed when the last has gone and a moment has
// passed. It never keeps the process alive by itself.
import type { Clock, Timer } from './clock.js'
import type { Conduit } from './conduit.js'
import type { ConduitLease } from './server-options.js'

export interface SharedConduitOptions {
  open(): Promise<Conduit>
  readonly clock: Clock
  /** How long the environment stays after its last user. */
  readonly lingerMs: number
  /** Calls back once when nothing else keeps the process alive; returns how to stop. */
  onLastBreath(callback: () => void): () => void
}

export class SharedConduit {
  readonly #options: SharedConduitOptions
  #conduit: Promise<Conduit> | undefined
  #closing: Promise<void> = Promise.resolve()
  #users = 0
  #linger: Timer | undefined
  #stopListening: () => void = () => undefined

  constructor(options: SharedConduitOptions) {
    this.#options = options
  }

  /** The environment, until the lease is released. @throws what opening it throws; the next one tries again. */
  async acquire(): Promise<ConduitLease> {
    this.#users++
    this.#linger?.cancel()
    this.#linger = undefined
    try {
      const conduit = await this.#open()
      let held = true
      const release = () => {
        if (held) this.#release()
        held = false
      }
      return { conduit, release }
    } catch (error) {
      this.#release()
      throw error
    }
  }

  #open(): Promise<Conduit> {
    if (this.#conduit === undefined) {
      // One at a time: what is being closed still gives back its names.
      const opening = this.#closing.then(() => this.#options.open())
      this.#conduit = opening
      this.#stopListening = this.#options.onLastBreath(() => this.#close())
      opening.catch(() => {
        if (this.#conduit !== opening) return
        this.#conduit = undefined
        this.#stopListening()
      })
    }
    return this.#conduit
  }

  #release(): void {
    if (--this.#users > 0) return
    this.#linger = this.#options.clock.after(this.#options.lingerMs, () => this.#close())
    this.#linger.unref()
  }

  #close(): void {
    this.#linger?.cancel()
    this.#linger = undefined
    const conduit = this.#conduit
    if (conduit === undefined || this.#users > 0) return
    this.#conduit = undefined
    this.#stopListening()
    this.#closing = conduit.then((open) => open.close()).catch(() => undefined)
  }
}
