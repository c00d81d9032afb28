// What the options' values may be. Each parser returns the value or says in one line why it cannot be one.
import { InvalidArgumentError } from 'commander'
import {
  formatAddress,
  NAME_RULE,
  parseAddress,
  parseDomid,
  parseName,
  RING_BYTES_MAX,
  RING_BYTES_MIN,
} from '../../protocol/conduit.js'
import { DOMID_FIRST_RESERVED, type Domid } from '../../protocol/xen.js'
import { formatBytes } from './quantity.js'
import { UsageError } from './usage-error.js'

const SUFFIXES: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }
/** setTimeout's limit, 2^31 - 1 ms (Node's timers). */
const SECONDS_MAX = 2_147_483
const SPIN_MICROS_MAX = 1_000_000
const COUNT_MAX = 1_000_000

/** Bytes as `65536`, `64k`, `1M`, `2G`, in a range, for commander. */
function bytesWithSuffix(what: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const [, digits = '', suffix = ''] = /^([0-9]{1,12})([kmg]?)$/i.exec(text) ?? []
    const bytes = digits === '' ? Number.NaN : Number(digits) * SUFFIXES[suffix.toLowerCase()]!
    if (bytes >= min && bytes <= max) return bytes
    throw new InvalidArgumentError(`${what} has ${formatBytes(min)} to ${formatBytes(max)}.`)
  }
}

export const ringBytes = bytesWithSuffix('a ring', RING_BYTES_MIN, RING_BYTES_MAX)
export const demoBytes = bytesWithSuffix('the file', 1024 ** 2, 64 * 1024 ** 3)

/** Seconds, with a fraction if need be, as milliseconds. */
export function secondsAsMillis(text: string): number {
  const seconds = /^[0-9]{1,9}(\.[0-9]{1,9})?$/.test(text) ? Number(text) : Number.NaN
  if (seconds > 0 && seconds <= SECONDS_MAX) return Math.max(1, Math.round(seconds * 1000))
  throw new InvalidArgumentError(`seconds are a number above 0, at most ${SECONDS_MAX}.`)
}

/** A whole number in a range, for commander. */
function wholeNumber(what: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`${what} is a whole number from ${min} to ${max}.`)
  }
}

export const spinMicros = wholeNumber('the time to spin, in microseconds,', 0, SPIN_MICROS_MAX)
export const count = wholeNumber('a count', 1, COUNT_MAX)
export const payloadBytes = wholeNumber('a payload, in bytes,', 1, 1024 ** 2)

/** `NAME=DOMID`, for commander. */
export function reservation(text: string): { readonly name: string; readonly domid: Domid } {
  const at = text.indexOf('=')
  if (at < 0) throw new InvalidArgumentError('a reservation is NAME=DOMID.')
  const name = parseName(text.slice(0, at))
  if (name === undefined) throw new InvalidArgumentError(`${NAME_RULE}.`)
  const domid = parseDomid(text.slice(at + 1))
  if (domid === undefined)
    throw new InvalidArgumentError(`a domid is a whole number from 0 to ${DOMID_FIRST_RESERVED - 1}.`)
  return { name, domid }
}

/**
 * The address in its canonical spelling.
 * @throws UsageError when it cannot be one.
 */
export function address(text: string): string {
  const parsed = parseAddress(text)
  if (!('problem' in parsed)) return formatAddress(parsed)
  throw new UsageError(`${parsed.code}: ${parsed.problem}: ${parsed.hint}`)
}
