// Names as keys of maps: the wire form in lower case, each byte one character. Cheaper to read than text, and one name is one key.
import { LABEL_BYTES_MAX, lowerAscii, NAME_BYTES_MAX, nameLabels } from './dns-name.js'

/** The root's. */
export const ROOT_KEY = '\0'

const BEYOND_ASCII = /[\x80-\xff]/

/** Length bytes are below 64, and so below every letter: the whole may be lowered at once. */
const lower = (wire: string): string => (BEYOND_ASCII.test(wire) ? lowerAscii(wire) : wire.toLowerCase())

/** The key of a name in a message that is written without pointers, as that of a first question; undefined when none is there. */
export function readNameKey(message: Buffer, at: number): { readonly key: string; readonly end: number } | undefined {
  let cursor = at
  for (let length = message[cursor]; length !== 0; length = message[cursor]) {
    if (length === undefined || length > LABEL_BYTES_MAX) return undefined
    cursor += length + 1
  }
  const end = cursor + 1
  return end - at > NAME_BYTES_MAX ? undefined : { key: lower(message.toString('latin1', at, end)), end }
}

/** Most names: nothing to unescape, no label too long. A directory of a thousand services makes tens of thousands of keys. */
const PLAIN = /^[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$/

const wireLabel = (label: string): string => String.fromCharCode(label.length) + label

/** The key of a name in text, or undefined when it is none. */
export function nameKey(text: string): string | undefined {
  if (PLAIN.test(text) && text.length + 2 <= NAME_BYTES_MAX) {
    return text.toLowerCase().split('.').map(wireLabel).join('') + ROOT_KEY
  }
  const labels = nameLabels(text)
  return labels && lower(labels.map((label) => wireLabel(String.fromCharCode(...label))).join('') + ROOT_KEY)
}

/** The name without its first label, or undefined for the root. */
export const parentKey = (key: string): string | undefined =>
  key === ROOT_KEY ? undefined : key.slice(1 + key.charCodeAt(0))
