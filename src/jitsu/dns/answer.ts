// An answer as bytes that fit every client: what follows the question. To answer is then to copy: the client's id, its flags and its
// spelling of the name are put in front, to which the names behind point.
import {
  DNS_FLAG,
  DNS_HEADER_BYTES,
  DNS_META_TYPE,
  DNS_RCODE,
  DNS_SAFE_BYTES,
  type DnsQuestion,
  type DnsRecord,
  EDNS_DO,
  EDNS_EXTENDED_ERROR,
  encodeDnsMessage,
} from '../../../protocol/dns.js'
import type { Query, Rejected } from './query.js'

export interface Answer {
  /** All twelve bits. */
  readonly rcode: number
  readonly authoritative: boolean
  readonly answers: number
  readonly authorities: number
  /** Answers and authorities, names pointing to the question. */
  readonly body: Buffer
  /** Why it is no better (RFC 8914), for clients that understand it. */
  readonly extendedError?: { readonly code: number; readonly text: string }
}

const EMPTY = Buffer.alloc(0)
/** Root, type, class, TTL and length of an OPT without options. */
const OPT_BYTES = 11
/** What of a query's flags comes back (RFC 1035 4.1.1; CD by RFC 4035 3.1.6). */
const ECHOED = DNS_FLAG.RD | DNS_FLAG.CD

/** An answer without records. */
export function bareAnswer(rcode: number, extendedError?: Answer['extendedError']): Answer {
  const answer = { rcode, authoritative: false, answers: 0, authorities: 0, body: EMPTY }
  return extendedError === undefined ? answer : { ...answer, extendedError }
}

/** The answer that these records make, from a name's authority. @throws RangeError for a record that cannot be written */
export function encodeAnswer(
  question: DnsQuestion,
  rcode: number,
  answers: readonly DnsRecord[],
  authorities: readonly DnsRecord[],
): Answer {
  const whole = encodeDnsMessage({ questions: [question], answers, authorities })
  const body = whole.subarray(encodeDnsMessage({ questions: [question] }).length)
  return { rcode, authoritative: true, answers: answers.length, authorities: authorities.length, body }
}

export interface RenderOptions {
  /** Truncated when it is longer (RFC 2181 9: nothing of it is sent then). */
  readonly maxBytes: number
  readonly recursionAvailable: boolean
}

/** The message for this client. */
export function renderAnswer(query: Query, answer: Answer, { maxBytes, recursionAvailable }: RenderOptions): Buffer {
  const { head, edns } = query
  const options = edns === undefined ? EMPTY : optionBytes(answer)
  const optBytes = edns === undefined ? 0 : OPT_BYTES + options.length
  const truncated = head.length + answer.body.length + optBytes > maxBytes
  const body = truncated ? EMPTY : answer.body
  const message = Buffer.allocUnsafe(head.length + body.length + optBytes)
  message.set(head, 0)
  message.set(body, head.length)
  const flags =
    DNS_FLAG.QR |
    (query.flags & ECHOED) |
    (answer.authoritative ? DNS_FLAG.AA : 0) |
    (truncated ? DNS_FLAG.TC : 0) |
    (recursionAvailable ? DNS_FLAG.RA : 0)
  message.writeUInt16BE(flags | (answer.rcode & 0xf), 2)
  message.writeUInt16BE(truncated ? 0 : answer.answers, 6)
  message.writeUInt16BE(truncated ? 0 : answer.authorities, 8)
  message.writeUInt16BE(edns === undefined ? 0 : 1, 10)
  if (edns !== undefined) writeOpt(message, head.length + body.length, answer.rcode, edns.dnssecOk, options)
  return message
}

/** Only what this server has to say itself: an OPT answers an OPT, and a client's options are not sent back to it. */
function writeOpt(message: Buffer, at: number, rcode: number, dnssecOk: boolean, options: Buffer): void {
  message[at] = 0
  message.writeUInt16BE(DNS_META_TYPE.OPT, at + 1)
  message.writeUInt16BE(DNS_SAFE_BYTES, at + 3)
  message[at + 5] = rcode >> 4
  message[at + 6] = 0
  // DO comes back as it was (RFC 3225 3).
  message.writeUInt16BE(dnssecOk ? EDNS_DO : 0, at + 7)
  message.writeUInt16BE(options.length, at + 9)
  message.set(options, at + OPT_BYTES)
}

function optionBytes({ extendedError }: Answer): Buffer {
  if (extendedError === undefined) return EMPTY
  const text = Buffer.from(extendedError.text)
  const bytes = Buffer.alloc(6 + text.length)
  bytes.writeUInt16BE(EDNS_EXTENDED_ERROR, 0)
  bytes.writeUInt16BE(2 + text.length, 2)
  bytes.writeUInt16BE(extendedError.code, 4)
  bytes.set(text, 6)
  return bytes
}

/** Truncated and empty: ask again over TCP. */
export const renderTruncated = (query: Query, recursionAvailable: boolean): Buffer =>
  renderAnswer(query, bareAnswer(DNS_RCODE.NOERROR), { maxBytes: 0, recursionAvailable })

/** Header and code alone, for a message without a question that could be given back. */
export function renderRejected({ id, flags, rejectWith }: Rejected): Buffer {
  const message = Buffer.alloc(DNS_HEADER_BYTES)
  message.writeUInt16BE(id, 0)
  // Opcode and RD as they were (RFC 1035 4.1.1).
  message.writeUInt16BE(DNS_FLAG.QR | (flags & (0x7800 | DNS_FLAG.RD)) | rejectWith, 2)
  return message
}
