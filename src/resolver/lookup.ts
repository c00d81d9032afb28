// dns.lookup's signature over a resolver, so that net, http and undici take it. Where the system's resolver is asked this is node's own;
// elsewhere its arguments, its order of addresses and its errors are kept (https://nodejs.org/api/dns.html).
import {
  ADDRCONFIG,
  ALL,
  getDefaultResultOrder,
  type LookupAddress,
  type LookupOptions,
  lookup as systemLookup,
  V4MAPPED,
} from 'node:dns'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { domainToASCII } from 'node:url'
import { promisify } from 'node:util'
import { type ConduitError, isConduitError } from '../errors.js'
import { type AddressFamily, notFound } from './host-addresses.js'
import type { Resolver } from './resolver.js'

/** dns.lookup's own signature. */
export type LookupFunction = typeof systemLookup

type Failure = NodeJS.ErrnoException | null
type Callback = (error: Failure, address?: string | LookupAddress[], family?: number) => void
type SystemLookup = (hostname: string, options: unknown, callback: unknown) => void

/**
 * A function that can stand wherever dns.lookup can. It calls back with errors of node's shape, `ENOTFOUND` or `EAI_AGAIN`, the
 * resolver's own as their `cause`.
 */
export function lookupBy(resolver: () => Resolver): LookupFunction {
  const lookup = (hostname: unknown, given: unknown, last?: unknown): void => {
    const [options, callback] = typeof given === 'function' ? [{}, given] : [given, last]
    const system = systemLookup as SystemLookup
    const host = typeof hostname === 'string' ? hostName(hostname) : ''
    // Node's checks of what it was given are the ones that callers expect.
    if (host === '' || isIP(host) !== 0) {
      system(hostname as string, options, callback)
      return
    }
    system('127.0.0.1', options, typeof callback === 'function' ? () => undefined : callback)
    if (resolver().asksSystem(host)) system(host, options, callback)
    else void answer(resolver(), hostname as string, wantedOf(options), callback as Callback)
  }
  const promised = (hostname: string, options: LookupOptions | number = {}): Promise<LookupAddress | LookupAddress[]> =>
    new Promise((resolve, reject) => {
      lookup(hostname, options, (error: Failure, address: string | LookupAddress[], family: number) => {
        if (error) reject(error)
        else resolve(typeof address === 'string' ? { address, family } : address)
      })
    })
  return Object.assign(lookup, { [promisify.custom]: promised, __promisify__: promised }) as unknown as LookupFunction
}

const hostName = (hostname: string): string => (/^[\x20-\x7e]*$/.test(hostname) ? hostname : domainToASCII(hostname))

interface Wanted {
  readonly family: AddressFamily
  readonly hints: number
  readonly all: boolean
  readonly order: string
}

/** `options` have passed node's own checks. */
function wantedOf(options: unknown): Wanted {
  const given: LookupOptions = typeof options === 'number' ? { family: options } : ((options as LookupOptions) ?? {})
  const { family = 0, hints = 0, all = false, verbatim } = given
  const { order = verbatim === undefined ? getDefaultResultOrder() : verbatim ? 'verbatim' : 'ipv4first' } = given as {
    order?: string
  }
  return { family: FAMILIES[family] ?? 0, hints, all, order }
}

const FAMILIES: Readonly<Record<string | number, AddressFamily>> = { 4: 4, 6: 6, IPv4: 4, IPv6: 6 }

async function answer(resolver: Resolver, hostname: string, wanted: Wanted, callback: Callback): Promise<void> {
  let reply: Parameters<Callback>
  try {
    const found = inOrder(await addressesFor(resolver, hostName(hostname), wanted), wanted.order)
    reply = wanted.all ? [null, found] : [null, found[0]!.address, found[0]!.family]
  } catch (error) {
    reply = [isConduitError(error) ? asNodes(error, hostname) : (error as Error)]
  }
  // Out of the promise: what the callback throws is uncaught, as with dns.lookup.
  process.nextTick(() => callback(...reply))
}

/** @throws ConduitError when there are none */
async function addressesFor(resolver: Resolver, host: string, { family, hints }: Wanted): Promise<LookupAddress[]> {
  const mapping = family === 6 && (hints & V4MAPPED) !== 0
  const found = await resolver.addresses(host, { family: mapping ? 0 : family })
  const usable = (hints & ADDRCONFIG) === 0 ? () => true : hasFamily
  const addresses = found.map((address) => ({ address, family: isIP(address) })).filter(usable)
  const chosen = mapping ? mapped(addresses, (hints & ALL) !== 0) : addresses
  if (chosen.length === 0) throw notFound(host)
  return chosen
}

/** As getaddrinfo(3) has AI_V4MAPPED: IPv4 addresses stand in for IPv6 where there are none, or with AI_ALL beside them. */
function mapped(addresses: readonly LookupAddress[], all: boolean): LookupAddress[] {
  const own = addresses.filter(({ family }) => family === 6)
  if (own.length > 0 && !all) return own
  const others = addresses.filter(({ family }) => family === 4)
  return [...own, ...others.map(({ address }) => ({ address: `::ffff:${address}`, family: 6 }))]
}

/** AI_ADDRCONFIG: an interface other than the loopback has an address of the family. */
function hasFamily({ family }: LookupAddress): boolean {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return interfaces.some((own) => !own.internal && own.family === `IPv${family}`)
}

function inOrder(addresses: LookupAddress[], order: string): LookupAddress[] {
  if (order === 'verbatim') return addresses
  const first = order === 'ipv6first' ? 6 : 4
  return addresses.toSorted((a, b) => Number(b.family === first) - Number(a.family === first))
}

/** libuv's numbers of getaddrinfo's errors (uv/errno.h: UV__EAI_AGAIN, UV__EAI_NONAME as node shows it). */
const EAI_AGAIN = -3001
const ENOTFOUND = -3008

/** A server that failed or was silent may know tomorrow; everything else is a name without addresses. */
function asNodes(cause: ConduitError, hostname: string): NodeJS.ErrnoException {
  const again = cause.code === 'RESOLVER' || cause.code === 'ETIMEDOUT'
  const code = again ? 'EAI_AGAIN' : 'ENOTFOUND'
  const error = new Error(`getaddrinfo ${code} ${hostname}`, { cause })
  return Object.assign(error, { errno: again ? EAI_AGAIN : ENOTFOUND, code, syscall: 'getaddrinfo', hostname })
}
