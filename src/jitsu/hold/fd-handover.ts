// Hands connections over as descriptors, to the processes that take them. Nothing of theirs is read, before or after.
import type { Handover } from './handover.js'
import type { HeldConnection } from './held-connection.js'
import type { Takers } from './takers.js'

export class FdHandover implements Handover {
  readonly keepBytes = 0
  readonly relayed = 0
  readonly #takers: Takers
  readonly #limitMs: number

  constructor(takers: Takers, limitMs: number) {
    this.#takers = takers
    this.#limitMs = limitMs
  }

  hand(connection: HeldConnection): Promise<void> {
    return this.#takers.take(connection, this.#limitMs)
  }

  reset(): void {
    // Nothing runs through this process.
  }
}
