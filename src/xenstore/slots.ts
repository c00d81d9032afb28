// A counting semaphore: so many at once, the others in the order they came.

import { onAbort } from './on-abort.js'

/** Gives its slot back; further calls do nothing. */
export type Release = () => void

export class Slots {
  readonly #waiting = new Set<() => void>()
  #free: number

  constructor(count: number) {
    this.#free = count
  }

  /** Resolves when a slot is free. @throws the signal's reason, when it is aborted before that */
  acquire(signal?: AbortSignal): Promise<Release> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      let stopListening = (): void => {}
      const take = () => {
        stopListening()
        resolve(this.#release())
      }
      if (this.#free > 0) {
        this.#free--
        take()
        return
      }
      this.#waiting.add(take)
      stopListening = onAbort(signal, () => {
        this.#waiting.delete(take)
        reject(signal?.reason)
      })
    })
  }

  #release(): Release {
    let held = true
    return () => {
      if (!held) return
      held = false
      const [next] = this.#waiting
      if (next === undefined) this.#free++
      else {
        this.#waiting.delete(next)
        next()
      }
    }
  }
}
