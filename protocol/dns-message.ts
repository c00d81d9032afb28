// Whole messages (RFC 1035 4, RFC 6891 6): header, questions, records, the OPT. Whatever comes in is a value or a problem, and
// nothing throws; what goes out is the program's own.
import { readName, skipName } from './dns-name.js'
import { writeRecord } from './dns-record-writer.js'
import { type DnsRecord, readRecord, spanRecord } from './dns-records.js'
import { DNS_FLAG, DNS_HEADER_BYTES, DNS_META_TYPE, EDNS_DO } from './dns-types.js'
import { DnsWriter } from './dns-writer.js'

export interface DnsHeader {
  readonly id: number
  /** The second word: {@link DNS_FLAG}, opcode and the lower four bits of the result code. */
  readonly flags: number
  readonly questions: number
  readonly answers: number
  readonly authorities: number
  readonly additionals: number
}

export interface DnsQuestion {
  readonly name: string
  readonly type: number
  readonly class: number
}

export interface EdnsOption {
  readonly code: number
  readonly data: Buffer
}

export interface Edns {
  /** The largest datagram that the sender takes. */
  readonly udpBytes: number
  readonly version: number
  readonly dnssecOk: boolean
  /** The upper eight of the result code's twelve bits. */
  readonly extendedRcode: number
  readonly options: readonly EdnsOption[]
}

export interface DnsMessage {
  readonly id: number
  /** As in {@link DnsHeader}. */
  readonly flags: number
  readonly questions: readonly DnsQuestion[]
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  /** Without the OPT. */
  readonly additionals: readonly DnsRecord[]
  readonly edns: Edns | undefined
}

/** What keeps bytes from being a message. */
export interface DnsProblem {
  readonly problem: string
}

export const opcodeOf = (flags: number): number => (flags >> 11) & 0xf

/** The result code with its extension (RFC 6891 6.1.3). */
export const rcodeOf = ({ flags, edns }: Pick<DnsMessage, 'flags' | 'edns'>): number =>
  (flags & 0xf) | ((edns?.extendedRcode ?? 0) << 4)

/** Undefined when there are not even twelve bytes. */
export function readHeader(message: Buffer): DnsHeader | undefined {
  if (message.length < DNS_HEADER_BYTES) return undefined
  const word = (index: number): number => message.readUInt16BE(2 * index)
  return {
    id: word(0),
    flags: word(1),
    questions: word(2),
    answers: word(3),
    authorities: word(4),
    additionals: word(5),
  }
}

export function decodeDnsMessage(message: Buffer): DnsMessage | DnsProblem {
  const header = readHeader(message)
  if (header === undefined) return { problem: `a message of ${message.length} bytes has no header` }
  let at = DNS_HEADER_BYTES
  const questions: DnsQuestion[] = []
  for (let i = 0; i < header.questions; i++) {
    const read = readQuestion(message, at)
    if (read === undefined) return { problem: `question ${i + 1} of ${header.questions} is malformed` }
    questions.push(read.question)
    at = read.end
  }
  const sections = { answers: [] as DnsRecord[], authorities: [] as DnsRecord[], additionals: [] as DnsRecord[] }
  let edns: Edns | undefined
  for (const section of ['answers', 'authorities', 'additionals'] as const) {
    for (let i = 0; i < header[section]; i++) {
      const problem = { problem: `record ${i + 1} of ${header[section]} in the ${section} is malformed` }
      if (isOpt(message, at)) {
        const read = readEdns(message, at)
        // One, and among the additionals (RFC 6891 6.1.1).
        if (read === undefined || edns !== undefined || section !== 'additionals') return problem
        edns = read.edns
        at = read.end
        continue
      }
      const read = readRecord(message, at)
      if (read === undefined) return problem
      sections[section].push(read.record)
      at = read.end
    }
  }
  if (at !== message.length) return { problem: `${message.length - at} bytes follow the message` }
  return { id: header.id, flags: header.flags, questions, ...sections, edns }
}

/** The question at `at`; no pointer can be in it, since no name comes before. */
export function readQuestion(
  message: Buffer,
  at: number,
): { readonly question: DnsQuestion; readonly end: number } | undefined {
  const name = readName(message, at)
  if (name === undefined || name.end + 4 > message.length) return undefined
  const question = {
    name: name.name,
    type: message.readUInt16BE(name.end),
    class: message.readUInt16BE(name.end + 2),
  }
  return { question, end: name.end + 4 }
}

export function isOpt(message: Buffer, at: number): boolean {
  const end = skipName(message, at)
  return end !== undefined && end + 2 <= message.length && message.readUInt16BE(end) === DNS_META_TYPE.OPT
}

/** The OPT at `at` (RFC 6891 6.1.2): its class and TTL are fields of another meaning. */
export function readEdns(message: Buffer, at: number): { readonly edns: Edns; readonly end: number } | undefined {
  // Its owner is the root.
  const span = message[at] === 0 ? spanRecord(message, at + 1) : undefined
  if (span === undefined) return undefined
  const options: EdnsOption[] = []
  for (let option = span.dataAt; option < span.end; ) {
    if (option + 4 > span.end) return undefined
    const next = option + 4 + message.readUInt16BE(option + 2)
    if (next > span.end) return undefined
    options.push({ code: message.readUInt16BE(option), data: Buffer.from(message.subarray(option + 4, next)) })
    option = next
  }
  const edns: Edns = {
    udpBytes: span.class,
    version: message[span.ttlAt + 1]!,
    dnssecOk: (message.readUInt16BE(span.ttlAt + 2) & EDNS_DO) !== 0,
    extendedRcode: message[span.ttlAt]!,
    options,
  }
  return { edns, end: span.end }
}

/**
 * The message's bytes, names compressed. What is left out is empty.
 * @throws RangeError for a record that cannot be written
 */
export function encodeDnsMessage(message: Partial<DnsMessage>): Buffer {
  const { questions = [], answers = [], authorities = [], additionals = [], edns } = message
  const writer = new DnsWriter()
  writer.u16(message.id ?? 0)
  writer.u16(message.flags ?? 0)
  const counts = [questions, answers, authorities, additionals].map(({ length }) => length)
  for (const [index, count] of counts.entries()) writer.u16(index === 3 && edns !== undefined ? count + 1 : count)
  for (const question of questions) {
    writer.name(question.name)
    writer.u16(question.type)
    writer.u16(question.class)
  }
  for (const record of [...answers, ...authorities, ...additionals]) writeRecord(writer, record)
  if (edns !== undefined) writeEdns(writer, edns)
  return writer.finish()
}

export function writeEdns(writer: DnsWriter, edns: Edns): void {
  writer.u8(0)
  writer.u16(DNS_META_TYPE.OPT)
  writer.u16(edns.udpBytes)
  writer.u8(edns.extendedRcode)
  writer.u8(edns.version)
  writer.u16(edns.dnssecOk ? EDNS_DO : 0)
  writer.counted(() => {
    for (const { code, data } of edns.options) {
      writer.u16(code)
      writer.u16(data.length)
      writer.bytes(data)
    }
  })
}

/** A query for one name, to be answered recursively. */
export function encodeDnsQuery(question: DnsQuestion, edns: Edns | undefined): Buffer {
  return encodeDnsMessage({ flags: DNS_FLAG.RD, questions: [question], edns })
}
