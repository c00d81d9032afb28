// Asks other servers what this one does not know, for its clients: one query for all who ask the same meanwhile, each server in turn, and
// what they said is kept while it holds. Believes the answer to its own question alone.
import { setMaxListeners } from 'node:events'
import {
  DNS_CLASS_IN,
  DNS_FLAG,
  DNS_HEADER_BYTES,
  DNS_RCODE,
  DNS_SAFE_BYTES,
  EXTENDED_ERROR,
  encodeDnsMessage,
  readQuestion,
} from '../../../protocol/dns.js'
import type { Clock } from '../../conduit/clock.js'
import { startDeadline } from '../../conduit/deadline.js'
import { ConduitError, isConduitError } from '../../errors.js'
import type { DnsServerAddress } from '../../resolver/dns-server-address.js'
import { exchangeOverTcp } from '../../resolver/dns-tcp-exchange.js'
import { exchangeOverUdp } from '../../resolver/dns-udp-exchange.js'
import { type Answer, bareAnswer } from './answer.js'
import type { DnsCounters } from './counters.js'
import { ForwardCache } from './forward-cache.js'
import { ForwardedAnswer } from './forwarded-answer.js'
import type { Query } from './query.js'

export interface ForwarderOptions {
  readonly servers: readonly DnsServerAddress[]
  readonly clock: Clock
  /** Monotonic. */
  readonly nowMs: () => number
  readonly counters: DnsCounters
}

/** What each server is given, round by round: a lost datagram costs little, and one that has to ask around itself gets its time. */
const ROUNDS_MS = [800, 1600, 2400] as const
/** However many servers there are: a stub resolver waits for five seconds (glibc's RES_TIMEOUT), and then asks again. */
const TOTAL_MS = 4800
/** Each has a socket. */
const IN_FLIGHT_MAX = 512
/** So long nobody is asked again what nobody could answer (RFC 9520 3.2: a second at least). */
const FAILURE_KEPT_MS = 1000
const FAILURES_MAX = 1000

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #cache = new ForwardCache()
  readonly #inFlight = new Map<string, Promise<Answer>>()
  /** When each question failed, the oldest first. */
  readonly #failures = new Map<string, number>()
  readonly #closing = new AbortController()

  constructor(options: ForwarderOptions) {
    this.#options = options
    // Every question under way listens to it; Node would take more than ten for a leak.
    setMaxListeners(0, this.#closing.signal)
  }

  /** What is known already. */
  cached(query: Query): Answer | undefined {
    const { nowMs, counters } = this.#options
    const key = keyOf(query)
    const now = nowMs()
    const answer = this.#cache.get(key, now)?.answer ?? this.#recentFailure(key, now)
    if (answer !== undefined) counters.cacheHits++
    return answer
  }

  /** Never rejects: what fails is SERVFAIL. */
  ask(query: Query): Promise<Answer> {
    const key = keyOf(query)
    const known = this.#inFlight.get(key)
    if (known !== undefined) return known
    if (this.#closing.signal.aborted) return Promise.resolve(failure('the server is closed'))
    if (this.#inFlight.size >= IN_FLIGHT_MAX) return Promise.resolve(failure('too many queries are being passed on'))
    this.#options.counters.forwarded++
    const asking = this.#ask(query, key).finally(() => this.#inFlight.delete(key))
    this.#inFlight.set(key, asking)
    return asking
  }

  close(): void {
    this.#closing.abort(new ConduitError('RESOLVER', 'the DNS server was closed'))
  }

  async #ask(query: Query, key: string): Promise<Answer> {
    const { clock, nowMs, counters } = this.#options
    const onTimeout = () => new ConduitError('ETIMEDOUT', 'no forwarder answered in time')
    const deadline = startDeadline(clock, { signal: this.#closing.signal, timeoutMs: TOTAL_MS, onTimeout })
    try {
      const forwarded = await this.#inTurn(query, deadline.signal)
      if (forwarded === undefined) {
        counters.forwardFailures++
        this.#failed(key, nowMs())
        return failure('no forwarder answered')
      }
      this.#cache.set(key, forwarded, nowMs())
      return forwarded.answer
    } finally {
      deadline.clear()
    }
  }

  async #inTurn(query: Query, signal: AbortSignal): Promise<ForwardedAnswer | undefined> {
    for (const timeoutMs of ROUNDS_MS) {
      for (const server of this.#options.servers) {
        const answer = await this.#one(server, query, { signal, timeoutMs }).catch(passOver)
        if (signal.aborted) return undefined
        if (answer !== undefined) return answer
      }
    }
    return undefined
  }

  async #one(
    server: DnsServerAddress,
    query: Query,
    limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<ForwardedAnswer | undefined> {
    const onTimeout = () => new ConduitError('ETIMEDOUT', `${server.text} did not answer`)
    const deadline = startDeadline(this.#options.clock, { ...limits, onTimeout })
    try {
      const first = await this.#exchange(server, forwardedQuery(query, true), deadline.signal)
      const answer = ForwardedAnswer.from(first)
      if (!('problem' in answer) && isUsable(answer.answer.rcode)) return answer
      // From before EDNS (RFC 6891 6.2.2 and 7): once more without.
      if (!isOfOldServer(first)) return undefined
      const second = ForwardedAnswer.from(await this.#exchange(server, forwardedQuery(query, false), deadline.signal))
      return !('problem' in second) && isUsable(second.answer.rcode) ? second : undefined
    } finally {
      deadline.clear()
    }
  }

  async #exchange(server: DnsServerAddress, query: Buffer, signal: AbortSignal): Promise<Buffer> {
    const { clock } = this.#options
    const answer = await exchangeOverUdp({ server, query, signal, clock, repeatAfterMs: undefined })
    return answer === 'use-tcp' ? exchangeOverTcp({ server, query, signal }) : answer
  }

  #failed(key: string, nowMs: number): void {
    this.#failures.delete(key)
    this.#failures.set(key, nowMs)
    if (this.#failures.size > FAILURES_MAX) this.#failures.delete(this.#failures.keys().next().value!)
  }

  #recentFailure(key: string, nowMs: number): Answer | undefined {
    const failedAtMs = this.#failures.get(key)
    if (failedAtMs === undefined) return undefined
    if (nowMs - failedAtMs < FAILURE_KEPT_MS) return failure('no forwarder answered a moment ago')
    this.#failures.delete(key)
    return undefined
  }
}

/** Of the query's flags only those that change the answer: CD here, DO in the OPT. */
const keyOf = ({ key, type, flags, edns }: Query): string =>
  `${key}${type} ${flags & DNS_FLAG.CD} ${edns?.dnssecOk === true ? 'do' : ''}`

/** A query of our own: nothing of the client's but its question, in its spelling, and whether it wants signatures. */
function forwardedQuery({ head, flags, edns }: Query, withEdns: boolean): Buffer {
  const { question } = readQuestion(head, DNS_HEADER_BYTES)!
  const opt = { udpBytes: DNS_SAFE_BYTES, version: 0, dnssecOk: edns?.dnssecOk === true, extendedRcode: 0, options: [] }
  return encodeDnsMessage({
    flags: DNS_FLAG.RD | (flags & DNS_FLAG.CD),
    questions: [{ ...question, class: DNS_CLASS_IN }],
    edns: withEdns ? opt : undefined,
  })
}

const isUsable = (rcode: number): boolean => rcode === DNS_RCODE.NOERROR || rcode === DNS_RCODE.NXDOMAIN

function isOfOldServer(message: Buffer): boolean {
  const rcode = message.readUInt16BE(2) & 0xf
  return rcode === DNS_RCODE.FORMERR || rcode === DNS_RCODE.NOTIMP
}

/** The next server may know. */
function passOver(error: unknown): undefined {
  if (!isConduitError(error)) throw error
}

const failure = (text: string): Answer => bareAnswer(DNS_RCODE.SERVFAIL, { code: EXTENDED_ERROR.NETWORK_ERROR, text })
