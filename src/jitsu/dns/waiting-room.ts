// Queries whose answer has to be waited for: so many at most, and one for all copies that a client sent meanwhile.
import { DNS_RCODE, EXTENDED_ERROR } from '../../../protocol/dns.js'
import { type Answer, bareAnswer } from './answer.js'
import type { DnsCounters } from './counters.js'
import type { Later } from './responder.js'

const CROWDED = bareAnswer(DNS_RCODE.SERVFAIL, { code: EXTENDED_ERROR.NOT_READY, text: 'too many queries wait' })

export class WaitingRoom {
  readonly #max: number
  readonly #counters: DnsCounters
  readonly #keys = new Set<string>()
  #anonymous = 0

  /** @throws RangeError for a maximum that cannot be */
  constructor(max: number, counters: DnsCounters) {
    if (!Number.isInteger(max) || max < 1) throw new RangeError(`maxWaiting must be a whole number above 0, not ${max}`)
    this.#max = max
    this.#counters = counters
  }

  get size(): number {
    return this.#keys.size + this.#anonymous
  }

  /**
   * Calls `reply` once, within the call when there is no room. Not at all for a copy of a query that waits under the same key: its
   * answer serves both. Who leaves meanwhile changes nothing: what was begun goes on.
   */
  wait(later: Later, key: string | undefined, reply: (answer: Answer) => void): void {
    if (key !== undefined && this.#keys.has(key)) {
      this.#counters.repeated++
      return
    }
    if (this.size >= this.#max) {
      this.#counters.crowdedOut++
      reply(CROWDED)
      return
    }
    this.#counters.waited++
    if (key === undefined) this.#anonymous++
    else this.#keys.add(key)
    void later.start().then((answer) => {
      if (key === undefined) this.#anonymous--
      else this.#keys.delete(key)
      reply(answer)
    })
  }
}
