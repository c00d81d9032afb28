// Values of a configuration that have a form of their own: socket addresses, DNS names, amounts of memory.
import { isIP } from 'node:net'
import { z } from 'zod'
import { show, text } from './config-faults.js'
import { formatSocketAddress, parseSocketAddress } from './jitsud-hold-config.js'

/** RFC 1035 2.3.4: 63 octets a label, 255 a name, which are 253 characters as text. */
const DNS_LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
const DNS_NAME_CHARS = 253

/** Lower case, without the last dot; undefined when it cannot be one. */
export function parseDnsName(given: string): string | undefined {
  const name = given.toLowerCase().replace(/\.$/, '')
  const fits = name.length <= DNS_NAME_CHARS && name.split('.').every((label) => DNS_LABEL.test(label))
  return fits ? name : undefined
}

const MEMORY_UNITS_MIB = { KiB: 1 / 1024, MiB: 1, GiB: 1024 } as const
/** What x86 can address (52 bits), in MiB. */
const MEMORY_MAX_MIB = 2 ** 32

/** Whole MiB, rounded up, of `64MiB`, `65536KiB`, `1GiB` or a number of MiB. */
export function parseMemoryMib(given: string | number): number | undefined {
  const [, amount, unit = 'MiB'] =
    typeof given === 'number' ? ['', String(given)] : (/^([0-9]{1,10}) ?(KiB|MiB|GiB)?$/.exec(given) ?? [])
  if (amount === undefined || !/^[0-9]+$/.test(amount)) return undefined
  const mib = Math.ceil(Number(amount) * MEMORY_UNITS_MIB[unit as keyof typeof MEMORY_UNITS_MIB])
  return mib > 0 && mib <= MEMORY_MAX_MIB ? mib : undefined
}

const MEMORY = 'memory with its unit, "64MiB", "65536KiB" or "1GiB"; a bare number is MiB'
/** Whole MiB. */
export const memory = z.union([z.string(), z.number()], { error: () => MEMORY }).transform((given, context) => {
  const mib = parseMemoryMib(given)
  if (mib !== undefined) return mib
  context.addIssue({ code: 'custom', message: MEMORY, params: { problem: `${show(given)} is not accepted` } })
  return z.NEVER
})

/** An address to listen on or to send to; normalised text. */
export const socketAddress = (defaultPort?: number) => {
  const optional = defaultPort === undefined ? '' : `; without a port it is ${defaultPort}`
  return text(`ADDRESS:PORT with an IP address, as 127.0.0.1:5353 or [::1]:5353${optional}`, (given) => {
    if (defaultPort !== undefined && isIP(given) !== 0) return formatSocketAddress({ host: given, port: defaultPort })
    const parsed = parseSocketAddress(given)
    return parsed && formatSocketAddress(parsed)
  })
}

export const dnsName = text('a DNS name such as www.example.org', parseDnsName)

export const ipAddress = text('an IPv4 or IPv6 address', (given) =>
  isIP(given) === 0 || given.includes('%') ? undefined : given.toLowerCase(),
)
