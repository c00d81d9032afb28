// Resource records: owner, type, class, TTL and the data of each type that Conduit uses, and how they are read. Others keep their bytes.
import { type NameRead, readName } from './dns-name.js'
import { readSvcb, type SvcbData } from './dns-svcb.js'
import { DNS_CLASS_IN, DNS_TYPE, type DnsType, dnsTypeName } from './dns-types.js'
import { formatIpv6 } from './ip-address.js'

/** What every record has. */
interface Owned {
  /** Text with RFC 1035 5.1's escapes, case kept, without the last dot; the root is `.`. */
  readonly name: string
  /** Seconds. */
  readonly ttl: number
}

/** RFC 1035 3.4.1, RFC 3596 2.2 */
export interface AddressRecord extends Owned {
  readonly type: 'A' | 'AAAA'
  readonly address: string
}

/** Of another name. */
export interface NameRecord extends Owned {
  readonly type: 'CNAME' | 'PTR' | 'NS'
  readonly target: string
}

/** RFC 1035 3.3.14 */
export interface TextRecord extends Owned {
  readonly type: 'TXT'
  /** At most 255 bytes each. */
  readonly texts: readonly Buffer[]
}

/** RFC 2782 */
export interface SrvRecord extends Owned {
  readonly type: 'SRV'
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

/** RFC 9460 */
export interface SvcbRecord extends Owned, SvcbData {
  readonly type: 'SVCB' | 'HTTPS'
}

/** RFC 1035 3.3.13 */
export interface SoaRecord extends Owned {
  readonly type: 'SOA'
  readonly primary: string
  /** A mail address, its `@` a dot (RFC 1035 3.3.13). */
  readonly mailbox: string
  readonly serial: number
  /** Seconds, as the three that follow. */
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  /** How long that something is not there may be believed (RFC 2308 4). */
  readonly minimum: number
}

/** Of a type or class that has no form here. */
export interface OtherRecord extends Owned {
  readonly type: 'OTHER'
  readonly code: number
  readonly class: number
  readonly data: Buffer
}

/** A resource record of class IN, or one that is passed on as it is. */
export type DnsRecord = AddressRecord | NameRecord | TextRecord | SrvRecord | SvcbRecord | SoaRecord | OtherRecord

/** The number of its type. */
export const recordCode = (record: DnsRecord): number => (record.type === 'OTHER' ? record.code : DNS_TYPE[record.type])

/** Where the parts of a record lie in its message. */
export interface RecordSpan {
  readonly code: number
  readonly class: number
  readonly ttlAt: number
  readonly dataAt: number
  /** Where the data and the record end. */
  readonly end: number
}

/** Type, class, TTL and length of data (RFC 1035 4.1.3). */
const FIXED_BYTES = 10

/** The record whose fixed part begins at `at`, behind its owner's name. */
export function spanRecord(message: Buffer, at: number): RecordSpan | undefined {
  const dataAt = at + FIXED_BYTES
  if (dataAt > message.length) return undefined
  const end = dataAt + message.readUInt16BE(at + 8)
  if (end > message.length) return undefined
  return { code: message.readUInt16BE(at), class: message.readUInt16BE(at + 2), ttlAt: at + 4, dataAt, end }
}

/** The record at `at`, or undefined when none is there or its data is not what its type says. */
export function readRecord(
  message: Buffer,
  at: number,
): { readonly record: DnsRecord; readonly end: number } | undefined {
  const owner = readName(message, at)
  const span = owner && spanRecord(message, owner.end)
  if (owner === undefined || span === undefined) return undefined
  const record = decode(message, span, { name: owner.name, ttl: readTtl(message, span.ttlAt) })
  return record && { record, end: span.end }
}

/** One with the highest bit set counts as 0 (RFC 2181 8). */
export function readTtl(message: Buffer, at: number): number {
  const ttl = message.readUInt32BE(at)
  return ttl > 0x7fffffff ? 0 : ttl
}

function decode(message: Buffer, span: RecordSpan, owned: Owned): DnsRecord | undefined {
  const type = span.class === DNS_CLASS_IN ? dnsTypeName(span.code) : undefined
  if (type === undefined) {
    const data = Buffer.from(message.subarray(span.dataAt, span.end))
    return { ...owned, type: 'OTHER', code: span.code, class: span.class, data }
  }
  return DECODERS[type](message, span, owned)
}

type Decoder = (message: Buffer, span: RecordSpan, owned: Owned) => DnsRecord | undefined

const address =
  (type: 'A' | 'AAAA', bytes: number): Decoder =>
  (message, { dataAt, end }, owned) => {
    if (end - dataAt !== bytes) return undefined
    const data = message.subarray(dataAt, end)
    return { ...owned, type, address: type === 'A' ? data.join('.') : formatIpv6(data) }
  }

const target =
  (type: 'CNAME' | 'PTR' | 'NS'): Decoder =>
  (message, { dataAt, end }, owned) => {
    const name = nameWithin(message, dataAt, end)
    return name?.end === end ? { ...owned, type, target: name.name } : undefined
  }

const svcb =
  (type: 'SVCB' | 'HTTPS'): Decoder =>
  (message, { dataAt, end }, owned) => {
    const data = readSvcb(message, dataAt, end)
    return data && { ...owned, type, ...data }
  }

const DECODERS: Readonly<Record<DnsType, Decoder>> = {
  A: address('A', 4),
  AAAA: address('AAAA', 16),
  CNAME: target('CNAME'),
  PTR: target('PTR'),
  NS: target('NS'),
  SVCB: svcb('SVCB'),
  HTTPS: svcb('HTTPS'),
  TXT: (message, { dataAt, end }, owned) => {
    const texts = readTexts(message, dataAt, end)
    return texts && { ...owned, type: 'TXT', texts }
  },
  SRV: (message, { dataAt, end }, owned) => {
    const name = nameWithin(message, dataAt + 6, end)
    if (name?.end !== end) return undefined
    const [priority, weight, port] = [0, 2, 4].map((offset) => message.readUInt16BE(dataAt + offset)) as [
      number,
      number,
      number,
    ]
    return { ...owned, type: 'SRV', priority, weight, port, target: name.name }
  },
  SOA: (message, { dataAt, end }, owned) => {
    const primary = nameWithin(message, dataAt, end)
    const mailbox = primary && nameWithin(message, primary.end, end)
    if (primary === undefined || mailbox === undefined || mailbox.end + 20 !== end) return undefined
    const word = (index: number): number => message.readUInt32BE(mailbox.end + 4 * index)
    const times = { serial: word(0), refresh: word(1), retry: word(2), expire: word(3), minimum: word(4) }
    return { ...owned, type: 'SOA', primary: primary.name, mailbox: mailbox.name, ...times }
  },
}

/** A name whose own bytes do not run over the record's end. */
function nameWithin(message: Buffer, at: number, end: number): NameRead | undefined {
  const name = at < end ? readName(message, at) : undefined
  return name !== undefined && name.end <= end ? name : undefined
}

function readTexts(message: Buffer, at: number, end: number): Buffer[] | undefined {
  const texts: Buffer[] = []
  while (at < end) {
    const next = at + 1 + message[at]!
    if (next > end) return undefined
    texts.push(Buffer.from(message.subarray(at + 1, next)))
    at = next
  }
  // One or more strings (RFC 1035 3.3.14).
  return texts.length > 0 ? texts : undefined
}
