// connect() for whatever an address leads to: resolves, opens, and keeps one time limit and one signal over both. The environment, the
// resolver and the clock are the caller's.
import type { Endpoint } from '../../protocol/endpoint.js'
import { formatEndpointUri } from '../../protocol/endpoint-uri.js'
import type { Clock } from '../conduit/clock.js'
import { CONNECT_TIMEOUT_MS, checkConnectOptions } from '../conduit/connect-options.js'
import { startDeadline } from '../conduit/deadline.js'
import { ConduitError, isConduitError } from '../errors.js'
import { type Found, foundEndpoint } from '../resolver/found.js'
import type { Resolver } from '../resolver/resolver.js'
import type { EndpointConnectOptions, EndpointSocket } from './endpoint-options.js'
import { type DialConduit, openEndpoint } from './open-endpoint.js'

/** What connecting lives on. */
export interface ConnectWays {
  readonly dial: DialConduit
  /** Where the options name none. */
  resolver(): Resolver
  readonly clock: Clock
}

/**
 * A socket to whatever `target` leads to.
 * @param peel what of the endpoint is to be connected; all of it by default
 * @throws TypeError, RangeError for wrong options; ConduitError of the resolver, of the kind of endpoint, ETIMEDOUT; the signal's reason
 */
export async function connectTarget(
  target: string | Endpoint,
  options: EndpointConnectOptions,
  { dial, resolver, clock }: ConnectWays,
  peel: (endpoint: Endpoint) => Endpoint = (endpoint) => endpoint,
): Promise<EndpointSocket> {
  checkConnectOptions(options)
  checkStream(options)
  const text = typeof target === 'string' ? target : formatEndpointUri(target)
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS
  let step = 'the resolver'
  const limit = startDeadline(clock, {
    signal: options.signal,
    timeoutMs,
    onTimeout: () =>
      new ConduitError('ETIMEDOUT', `connect to ${text}: waited ${timeoutMs} ms for ${step}`, {
        endpoint: text,
        hint: 'is the other side stopped, overloaded or behind a firewall? timeoutMs (conduit-cat -w) sets the limit',
      }),
  })
  const { signal } = limit
  try {
    const onStep = (what: string) => {
      step = what
    }
    const open = ({ endpoint, addresses }: Found): Promise<EndpointSocket> =>
      openEndpoint(peel(endpoint), addresses, { text, options, signal, dial, onStep })
    if (typeof target !== 'string') return await open(foundEndpoint(target))
    const resolving = options.resolver ?? resolver()
    const found = await resolving.resolve(target, { signal })
    return await open(found).catch(async (error: unknown) => {
      const other = isNobody(found, error) ? await resolving.besideConduits(target, signal) : undefined
      if (other === undefined) throw error
      return open(other)
    })
  } finally {
    limit.clear()
  }
}

/**
 * Whether a conduit was looked for and there is none. A directory knows a service's name and host, not whether it listens there as well:
 * one that takes TCP alone is reached as from any other host.
 */
function isNobody({ addresses }: Found, error: unknown): boolean {
  return addresses.length === 0 && isConduitError(error) && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
}

/** Messages are a conduit's own: nothing else can carry them, and TLS is a stream. @throws TypeError */
function checkStream({ mode }: { readonly mode?: string | undefined }): void {
  if (mode === 'message') throw new TypeError("mode: 'message' is for conduits: connect by name or by vchan://")
}
