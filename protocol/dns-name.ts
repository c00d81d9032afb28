// Domain names: bytes on the wire (RFC 1035 3.1, compression 4.1.4) and text (RFC 1035 5.1), case kept. Labels are bytes: a dot
// within a label, a NUL or a byte over 126 is escaped in the text, so that two names never have one spelling.

/** RFC 1035 2.3.4 */
export const LABEL_BYTES_MAX = 63
/** With every length byte and the root's (RFC 1035 2.3.4). */
export const NAME_BYTES_MAX = 255
/** A name has at most 127 labels, and a pointer that leads to a pointer adds nothing: more is an attack on our time. */
const POINTERS_MAX = 127
/** No name begins in the header, so that no pointer leads there. */
const FIRST_NAME_AT = 12

const LENGTH_MASK = 0xc0
const POINTER = 0xc0

export interface NameRead {
  /** `www.example.org`, without the last dot; the root is `.`. */
  readonly name: string
  /** Where the next field begins. */
  readonly end: number
}

/** The name at `at` of a whole message, or undefined when none is there. */
export function readName(message: Uint8Array, at: number): NameRead | undefined {
  const labels: string[] = []
  let cursor = at
  let before = at
  let end: number | undefined
  let bytes = 1
  for (let pointers = 0; pointers <= POINTERS_MAX; ) {
    const length = message[cursor]
    if (length === undefined) return undefined
    if (length === 0) return { name: labels.length === 0 ? '.' : labels.join('.'), end: end ?? cursor + 1 }
    if ((length & LENGTH_MASK) === POINTER) {
      const target = pointerTarget(message, cursor, before)
      if (target === undefined) return undefined
      end ??= cursor + 2
      cursor = before = target
      pointers++
      continue
    }
    bytes += length + 1
    const next = cursor + 1 + length
    if (length > LABEL_BYTES_MAX || bytes > NAME_BYTES_MAX || next > message.length) return undefined
    labels.push(labelText(message, cursor + 1, next))
    cursor = next
  }
  return undefined
}

/** Only backwards, and before where the name so far began: a loop is impossible. */
function pointerTarget(message: Uint8Array, at: number, before: number): number | undefined {
  const low = message[at + 1]
  if (low === undefined) return undefined
  const target = ((message[at]! & ~LENGTH_MASK) << 8) | low
  return target < before && target >= FIRST_NAME_AT ? target : undefined
}

/** Where the name at `at` ends, without reading what it points to; undefined when it runs out of the message. */
export function skipName(message: Uint8Array, at: number): number | undefined {
  for (let cursor = at; ; ) {
    const length = message[cursor]
    if (length === undefined) return undefined
    if (length === 0) return cursor + 1
    if ((length & LENGTH_MASK) === POINTER) return cursor + 2 <= message.length ? cursor + 2 : undefined
    if (length > LABEL_BYTES_MAX) return undefined
    cursor += length + 1
  }
}

function labelText(message: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at++) {
    const byte = message[at]!
    if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`
    else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte)
    else text += `\\${String(byte).padStart(3, '0')}`
  }
  return text
}

/** The labels that `text` spells, or undefined: empty or long labels, a name too long, a character that needs an escape. */
export function nameLabels(text: string): readonly Uint8Array[] | undefined {
  if (text === '.' || text === '') return []
  const labels: number[][] = [[]]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x2e) {
      // The last dot is the root's.
      if (at < text.length - 1) labels.push([])
      continue
    }
    const byte = code === 0x5c ? escapedByte(text, at + 1) : code
    if (byte === undefined || byte > 0xff || (code !== 0x5c && (code <= 0x20 || code >= 0x7f))) return undefined
    if (code === 0x5c) at += isDigits(text.slice(at + 1, at + 4)) ? 3 : 1
    labels.at(-1)!.push(byte)
  }
  const bytes = labels.reduce((sum, label) => sum + label.length + 1, 1)
  if (bytes > NAME_BYTES_MAX || labels.some(({ length }) => length === 0 || length > LABEL_BYTES_MAX)) return undefined
  return labels.map((label) => Uint8Array.from(label))
}

const isDigits = (text: string): boolean => /^[0-9]{3}$/.test(text)

function escapedByte(text: string, at: number): number | undefined {
  const digits = text.slice(at, at + 3)
  if (isDigits(digits)) return Number(digits)
  // A backslash before a digit begins three of them.
  const code = text.charCodeAt(at)
  return code > 0x20 && code < 0x7f && !/[0-9]/.test(text[at]!) ? code : undefined
}

/** RFC 4343 3: in ASCII alone. */
export const lowerAscii = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** What names are compared and kept by: lower case, without the last dot. */
export function canonicalName(text: string): string {
  const lower = lowerAscii(text)
  return /[^\\](?:\\\\)*\.$/.test(lower) ? lower.slice(0, -1) : lower
}
