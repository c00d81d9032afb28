// A forwarder's message as an answer for our clients: answers and authorities as they came, without what was additional, since nothing
// can be believed of it. Its pointers still fit: header and question have the same length in front.
import {
  DNS_HEADER_BYTES,
  DNS_META_TYPE,
  DNS_RCODE,
  type DnsMessage,
  type DnsProblem,
  decodeDnsMessage,
  rcodeOf,
  readTtl,
  recordCode,
  type SoaRecord,
  skipName,
  spanRecord,
} from '../../../protocol/dns.js'
import type { Answer } from './answer.js'

/** A day at most: what is older was often moved. RFC 2181 8 lets whoever keeps it choose. */
const TTL_MAX = 86_400
/** Three hours at most (RFC 2308 5). */
const NEGATIVE_TTL_MAX = 10_800

export class ForwardedAnswer {
  readonly answer: Answer
  /** Seconds that it may be kept. */
  readonly ttl: number
  /** Where the TTLs are in the body. */
  readonly #ttlsAt: readonly number[]

  private constructor(answer: Answer, ttl: number, ttlsAt: readonly number[]) {
    this.answer = answer
    this.ttl = ttl
    this.#ttlsAt = ttlsAt
  }

  /** Of a whole message with one question, or what is wrong with it. */
  static from(bytes: Buffer): ForwardedAnswer | DnsProblem {
    const message = decodeDnsMessage(bytes)
    if ('problem' in message) return message
    const [question, ...more] = message.questions
    if (question === undefined || more.length > 0) return { problem: 'it has not one question' }
    const from = skipName(bytes, DNS_HEADER_BYTES)! + 4
    const ttlsAt: number[] = []
    let at = from
    for (let i = message.answers.length + message.authorities.length; i > 0; i--) {
      const span = spanRecord(bytes, skipName(bytes, at)!)!
      ttlsAt.push(span.ttlAt - from)
      at = span.end
    }
    const answer = {
      rcode: rcodeOf(message),
      authoritative: false,
      answers: message.answers.length,
      authorities: message.authorities.length,
      // A copy: the message may be a part of something larger.
      body: Buffer.from(bytes.subarray(from, at)),
    }
    return new ForwardedAnswer(answer, keepSeconds(message, question.type), ttlsAt)
  }

  /** The same, `seconds` later. */
  aged(seconds: number): ForwardedAnswer {
    if (seconds === 0) return this
    const body = Buffer.from(this.answer.body)
    for (const at of this.#ttlsAt) body.writeUInt32BE(Math.max(0, readTtl(body, at) - seconds), at)
    return new ForwardedAnswer({ ...this.answer, body }, this.ttl - seconds, this.#ttlsAt)
  }
}

/** The least that anything in it says; 0 where it must not be kept. */
function keepSeconds(message: DnsMessage, type: number): number {
  const soa = message.authorities.find((record): record is SoaRecord => record.type === 'SOA')
  const ttl = Math.min(TTL_MAX, ...[...message.answers, ...message.authorities].map((record) => record.ttl))
  const positive = message.answers.some((record) => type === DNS_META_TYPE.ANY || recordCode(record) === type)
  if (positive && rcodeOf(message) === DNS_RCODE.NOERROR) return ttl
  // That something is not there: without a SOA nobody says for how long (RFC 2308 5).
  return soa === undefined ? 0 : Math.min(ttl, soa.minimum, NEGATIVE_TTL_MAX)
}
