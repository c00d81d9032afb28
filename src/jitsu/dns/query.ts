// What a client asks: the bytes of one message, looked at once and checked as the RFCs demand. On the path of every query, so that it
// makes one string and no records.
import {
  DNS_FLAG,
  DNS_HEADER_BYTES,
  DNS_OPCODE_QUERY,
  DNS_PLAIN_BYTES,
  DNS_RCODE,
  DNS_SAFE_BYTES,
  isOpt,
  opcodeOf,
  readEdns,
  readNameKey,
  skipName,
  spanRecord,
} from '../../../protocol/dns.js'

/** What the client said of itself in an OPT (RFC 6891). */
export interface QueryEdns {
  readonly udpBytes: number
  readonly version: number
  readonly dnssecOk: boolean
}

export interface Query {
  readonly id: number
  readonly flags: number
  /** Header and question, as they came. */
  readonly head: Buffer
  /** The name, as {@link nameKey} makes it. */
  readonly key: string
  readonly type: number
  readonly class: number
  readonly edns: QueryEdns | undefined
}

/** A message that is answered with its header and a code alone. */
export interface Rejected {
  readonly id: number
  readonly flags: number
  readonly rejectWith: number
}

/** The largest datagram for the client: what it takes (RFC 6891 6.2.3: less than 512 counts as 512), and what needs no fragments. */
export const datagramBytes = ({ edns }: Query): number =>
  edns === undefined ? DNS_PLAIN_BYTES : Math.min(DNS_SAFE_BYTES, Math.max(DNS_PLAIN_BYTES, edns.udpBytes))

/** The query in a message; undefined where silence is the answer: no header, or itself a response (RFC 1035 7.3 and 4.1.1). */
export function readQuery(message: Buffer): Query | Rejected | undefined {
  if (message.length < DNS_HEADER_BYTES) return undefined
  const id = message.readUInt16BE(0)
  const flags = message.readUInt16BE(2)
  if ((flags & DNS_FLAG.QR) !== 0) return undefined
  if (opcodeOf(flags) !== DNS_OPCODE_QUERY) return { id, flags, rejectWith: DNS_RCODE.NOTIMP }
  const formerr = { id, flags, rejectWith: DNS_RCODE.FORMERR }
  // One question, no more and no less: RFC 9619 4 for several; none has a meaning only with cookies (RFC 7873 5.4).
  if (message.readUInt16BE(4) !== 1) return formerr
  const name = readNameKey(message, DNS_HEADER_BYTES)
  if (name === undefined || name.end + 4 > message.length) return formerr
  const rest = readRest(message, name.end + 4)
  if (rest === undefined) return formerr
  return {
    id,
    flags,
    head: message.subarray(0, name.end + 4),
    key: name.key,
    type: message.readUInt16BE(name.end),
    class: message.readUInt16BE(name.end + 2),
    edns: rest.edns,
  }
}

/** A query that may be kept: it holds on to no more of the client's bytes than header and question. */
export const detached = (query: Query): Query => ({ ...query, head: Buffer.from(query.head) })

/** Everything behind the question must be records, and one OPT at most (RFC 6891 6.1.1). */
function readRest(message: Buffer, from: number): { readonly edns: QueryEdns | undefined } | undefined {
  const beforeAdditionals = message.readUInt16BE(6) + message.readUInt16BE(8)
  const records = beforeAdditionals + message.readUInt16BE(10)
  let edns: QueryEdns | undefined
  let at = from
  for (let i = 0; i < records; i++) {
    if (isOpt(message, at)) {
      const opt = edns === undefined && i >= beforeAdditionals ? readEdns(message, at) : undefined
      if (opt === undefined) return undefined
      edns = opt.edns
      at = opt.end
      continue
    }
    const owner = skipName(message, at)
    const span = owner === undefined ? undefined : spanRecord(message, owner)
    if (span === undefined) return undefined
    at = span.end
  }
  return at === message.length ? { edns } : undefined
}
