// Waiting for a fact without a clock: looks again in each turn of the event loop until mocha's own limit.
import { testOver } from './running-test.js'

/** The first value of `look` that is neither undefined, null nor false. */
export async function eventually<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const over = testOver()
  for (;;) {
    over.throwIfAborted()
    const value = await look()
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>
    await turn()
  }
}

/** Let everything that is ready run, several turns of it. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
