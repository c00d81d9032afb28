// The numbers of DNS: types, classes, opcodes and result codes, as IANA's "Domain Name System (DNS) Parameters" lists them.

/** Types that {@link DnsRecord} has a form of its own for. */
export const DNS_TYPE = {
  /** RFC 1035 3.4.1 */
  A: 1,
  /** RFC 1035 3.3.11 */
  NS: 2,
  /** RFC 1035 3.3.1 */
  CNAME: 5,
  /** RFC 1035 3.3.13 */
  SOA: 6,
  /** RFC 1035 3.3.12 */
  PTR: 12,
  /** RFC 1035 3.3.14 */
  TXT: 16,
  /** RFC 3596 2.1 */
  AAAA: 28,
  /** RFC 2782 */
  SRV: 33,
  /** RFC 9460 14.1 */
  SVCB: 64,
  /** RFC 9460 14.2 */
  HTTPS: 65,
} as const

/** Their names. */
export type DnsType = keyof typeof DNS_TYPE

/** Types that only a question has, and those whose records pass through undecoded. */
export const DNS_META_TYPE = {
  /** RFC 8482 4.2 */
  HINFO: 13,
  /** RFC 6891 6.1.1 */
  OPT: 41,
  /** RFC 1995 3 */
  IXFR: 251,
  /** RFC 5936 2 */
  AXFR: 252,
  /** RFC 1035 3.2.3 */
  MAILB: 253,
  /** RFC 1035 3.2.3 */
  MAILA: 254,
  /** RFC 1035 3.2.3, where it is `*` */
  ANY: 255,
} as const

const TYPE_NAMES: ReadonlyMap<number, DnsType> = new Map(
  Object.entries(DNS_TYPE).map(([name, code]) => [code, name as DnsType]),
)

/** The name of a type that this module decodes. */
export const dnsTypeName = (code: number): DnsType | undefined => TYPE_NAMES.get(code)

/** RFC 1035 3.2.4 */
export const DNS_CLASS_IN = 1

/** RFC 1035 4.1.1 */
export const DNS_OPCODE_QUERY = 0

/** RFC 1035 4.1.1; BADVERS by RFC 6891 9. */
export const DNS_RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const

const RCODE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(DNS_RCODE).map(([name, code]) => [code, name]))

/** `NXDOMAIN`, or `RCODE9` for those without a name here. */
export const dnsRcodeName = (code: number): string => RCODE_NAMES.get(code) ?? `RCODE${code}`

/** RFC 1035 4.1.1 */
export const DNS_HEADER_BYTES = 12
/** What a datagram holds for a client that sent no OPT (RFC 1035 4.2.1). */
export const DNS_PLAIN_BYTES = 512
/** What fits every path without fragments (dnsflagday.net/2020, RFC 9715 3.1 allows up to 1400). */
export const DNS_SAFE_BYTES = 1232
/** The two bytes of length in front of a message over TCP allow no more (RFC 1035 4.2.2). */
export const DNS_MAX_BYTES = 65_535

/** Bits of the header's second word (RFC 1035 4.1.1; AD and CD by RFC 4035 3.1.6 and 3.1.7). */
export const DNS_FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, AD: 0x0020, CD: 0x0010 } as const
/** The DO bit in the lower word of an OPT's TTL (RFC 3225 3). */
export const EDNS_DO = 0x8000
/** RFC 8914 4 */
export const EDNS_EXTENDED_ERROR = 15
/** Info codes of extended errors (RFC 8914 4.15, 4.23, 4.24). */
export const EXTENDED_ERROR = { NOT_READY: 14, NO_REACHABLE_AUTHORITY: 22, NETWORK_ERROR: 23 } as const
