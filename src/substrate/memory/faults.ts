// Faults that wait to happen: the nth call from now of one kind.
import type { ConduitError } from '../../errors.js'

interface Planned {
  readonly point: string
  remaining: number
  readonly error?: ConduitError
}

export class Faults {
  readonly #planned = new Set<Planned>()

  add(point: string, nth: number, error: ConduitError): void {
    this.#planned.add({ point, remaining: nth, error })
  }

  disturb(what: 'drop' | 'duplicate', nth: number): void {
    this.#planned.add({ point: what, remaining: nth })
  }

  /** @throws the planned ConduitError when it is this call's turn */
  check(point: string): void {
    const due = this.#due(point)
    if (due?.error !== undefined) throw due.error
  }

  /** How many times to deliver this kick. */
  deliveries(): 0 | 1 | 2 {
    const dropped = this.#due('drop') !== undefined
    const doubled = this.#due('duplicate') !== undefined
    if (dropped) return 0
    return doubled ? 2 : 1
  }

  #due(point: string): Planned | undefined {
    let due: Planned | undefined
    for (const planned of this.#planned) {
      if (planned.point === point && --planned.remaining === 0) due = planned
    }
    if (due !== undefined) this.#planned.delete(due)
    return due
  }
}
