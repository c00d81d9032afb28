// What forwarders said, for as long as they said it holds (RFC 1035 3.2.1), and that something is not there (RFC 2308 5). A whole answer
// under its whole question: one answer cannot plant another. Bounded by count and bytes; what was used longest ago goes first.
import type { ForwardedAnswer } from './forwarded-answer.js'

const ENTRIES_MAX = 10_000
const BYTES_MAX = 16 * 1024 * 1024
/** What an entry costs beside its bytes, roughly. */
const ENTRY_BYTES = 400

interface Entry {
  readonly answer: ForwardedAnswer
  readonly storedAtMs: number
  readonly expiresAtMs: number
}

export class ForwardCache {
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** With what is left of its TTLs; undefined when nothing is known. */
  get(key: string, nowMs: number): ForwardedAnswer | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#delete(key, entry)
    if (nowMs >= entry.expiresAtMs) return undefined
    // Last in the map's order again.
    this.#insert(key, entry)
    return entry.answer.aged(Math.floor((nowMs - entry.storedAtMs) / 1000))
  }

  set(key: string, answer: ForwardedAnswer, nowMs: number): void {
    const known = this.#entries.get(key)
    if (known !== undefined) this.#delete(key, known)
    if (answer.ttl <= 0) return
    this.#insert(key, { answer, storedAtMs: nowMs, expiresAtMs: nowMs + answer.ttl * 1000 })
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= ENTRIES_MAX && this.#bytes <= BYTES_MAX) return
      this.#delete(oldest, entry)
    }
  }

  #insert(key: string, entry: Entry): void {
    this.#entries.set(key, entry)
    this.#bytes += cost(key, entry)
  }

  #delete(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= cost(key, entry)
  }
}

const cost = (key: string, { answer }: Entry): number => key.length + answer.answer.body.length + ENTRY_BYTES
