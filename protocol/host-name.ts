// What can be a host name in an address: labels as DNS takes them, told from an IP address that is spelled wrongly.
import { isIP } from 'node:net'

/** One label (RFC 1035 section 2.3.4: 63 octets), with `_` since services and discovery names have it (RFC 8552). */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i
/** A name without its last dot (RFC 1035 section 2.3.4: 255 octets on the wire, which is 253 as text). */
const HOST_NAME_CHARS = 253
/**
 * A last label that looks like a number makes an IPv4 address, or nothing (https://url.spec.whatwg.org/#ends-in-a-number-checker):
 * `127.1` and `0x7f.1` would otherwise be a name here and an address in the C library.
 */
const NUMERIC = /^(?:[0-9]+|0x[0-9a-f]*)$/i

/** Whether `text` is a DNS name, without a dot at its end. */
export function isHostName(text: string): boolean {
  if (text.length > HOST_NAME_CHARS || isIP(text) !== 0) return false
  const labels = text.split('.')
  return labels.every((label) => LABEL.test(label)) && !NUMERIC.test(labels.at(-1)!)
}

export const HOST_NAME_RULE =
  'a host is an IP address, in brackets where it is IPv6, or labels of 1 to 63 letters, digits, - and _ joined by dots'
