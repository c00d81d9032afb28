// Whether a message answers what was asked. It may be from anybody: who sent it is the socket's matter.
import {
  DNS_FLAG,
  DNS_HEADER_BYTES,
  DNS_RCODE,
  type DnsHeader,
  lowerAscii,
  opcodeOf,
  readHeader,
  skipName,
} from '../../protocol/dns.js'

export type AnswerCheck = { readonly fits: true; readonly truncated: boolean } | { readonly fits: false }

const NO: AnswerCheck = { fits: false }

/** Id, direction, opcode and question must be the query's (RFC 5452 4 and 9.1). The rest may still be malformed. */
export function checkAnswer(query: Buffer, answer: Buffer): AnswerCheck {
  const asked = readHeader(query)
  const header = readHeader(answer)
  if (asked === undefined || header === undefined || header.id !== asked.id) return NO
  if ((header.flags & DNS_FLAG.QR) === 0 || opcodeOf(header.flags) !== opcodeOf(asked.flags)) return NO
  if (!sameQuestion(query, answer, header)) return NO
  return { fits: true, truncated: (header.flags & DNS_FLAG.TC) !== 0 }
}

function sameQuestion(query: Buffer, answer: Buffer, header: DnsHeader): boolean {
  // A server that could not read the query may send its header alone.
  if (header.questions === 0) return (header.flags & 0xf) !== DNS_RCODE.NOERROR && answer.length === DNS_HEADER_BYTES
  const key = questionKey(answer)
  return header.questions === 1 && key !== undefined && key === questionKey(query)
}

/** Type and class count byte by byte; the name whatever its case. Nothing comes before it that it could point to. */
function questionKey(message: Buffer): string | undefined {
  const end = skipName(message, DNS_HEADER_BYTES)
  if (end === undefined || end + 4 > message.length) return undefined
  return lowerAscii(message.toString('latin1', DNS_HEADER_BYTES, end)) + message.toString('latin1', end, end + 4)
}
