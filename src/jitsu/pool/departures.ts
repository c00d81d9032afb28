// Instances of a pool that nobody wants any more, on their way out. One that cannot be got rid of is tried again, and stays in
// the state file when jitsud ends.
import { errorFields } from '../logger.js'
import { stopInstance } from '../stop-instance.js'
import { bytesOf, type Kept, type PoolSurroundings } from './kept.js'

export class Departures {
  readonly #service: string
  readonly #around: PoolSurroundings
  readonly #going = new Map<Kept, Promise<void>>()
  /** Those that were still there after the last chance. */
  readonly #stuck = new Set<Kept>()

  constructor(service: string, around: PoolSurroundings) {
    this.#service = service
    this.#around = around
  }

  /** @param limitMs for each attempt */
  add(kept: Kept, limitMs: number): void {
    const { clock, log, lastChance, onRecord, onChange } = this.#around
    const { prepared } = kept
    const gone = stopInstance(
      { ended: prepared.ended, stop: () => prepared.discard() },
      {
        mode: 'destroy',
        limitMs,
        clock,
        lastChance,
        onFailure: (error) => log.error(`${this.#service}: an instance cannot be taken away`, errorFields(error)),
      },
    )
    const over = gone
      .catch(() => void this.#stuck.add(kept))
      .then(() => {
        this.#going.delete(kept)
        onRecord()
        onChange()
      })
    this.#going.set(kept, over)
    onRecord()
  }

  /** Whether some memory comes back by itself. */
  get any(): boolean {
    return this.#going.size > 0
  }

  get memoryBytes(): number {
    return bytesOf(this.all)
  }

  get all(): Kept[] {
    return [...this.#going.keys(), ...this.#stuck]
  }

  /** Of those that `of` picks: what resolves when one is gone, or is left. */
  under(of: (kept: Kept) => boolean): Promise<void>[] {
    return [...this.#going].filter(([kept]) => of(kept)).map(([, over]) => over)
  }
}
