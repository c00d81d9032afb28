// From an endpoint to a socket that stands: which kind is opened how, TLS outside, what carries it inside. Finds nothing out.
import { type Address, formatAddress } from '../../protocol/conduit-address.js'
import type { Endpoint, VchanDirectEndpoint, VchanNameEndpoint } from '../../protocol/endpoint.js'
import type { StreamConnectOptions } from '../conduit/connect-options.js'
import { ConduitError } from '../errors.js'
import type { ConduitSocket } from '../vchan/socket.js'
import type { EndpointSocket } from './endpoint-options.js'
import { type Opening, openTcp, openTls, openUnix } from './open-socket.js'

/** Opens conduits: connect() of whichever environment is used. */
export type DialConduit = (address: string, options: StreamConnectOptions) => Promise<ConduitSocket>

export interface EndpointOpening extends Opening {
  readonly dial: DialConduit
  /** Hears what is waited for from now on. */
  readonly onStep: (step: string) => void
}

/**
 * @param addresses where the endpoint ends in TCP: those to try in turn
 * @throws ConduitError as the kind of endpoint has it, RESOLVER for an unknown one; the signal's reason
 */
export async function openEndpoint(
  endpoint: Endpoint,
  addresses: readonly string[],
  opening: EndpointOpening,
): Promise<EndpointSocket> {
  opening.signal.throwIfAborted()
  switch (endpoint.kind) {
    case 'tcp':
      opening.onStep(`TCP at ${endpoint.address} to answer`)
      return openTcp(addresses.length === 0 ? [endpoint.address] : addresses, endpoint.port, opening)
    case 'unix':
      opening.onStep(`the socket ${endpoint.path} to answer`)
      return openUnix(endpoint.path, opening)
    case 'vchan-name':
    case 'vchan-direct':
      return openConduit(endpoint, opening)
    case 'tls': {
      // TLS ends each direction by itself: the socket below must not do so before it.
      const options = { ...opening.options, allowHalfOpen: true, onread: undefined }
      const below = await openEndpoint(endpoint.over, addresses, { ...opening, options })
      opening.onStep(`the TLS handshake with ${endpoint.host}`)
      return openTls(below, endpoint.host, opening)
    }
    case 'unknown':
      throw new ConduitError('RESOLVER', `${opening.text} leads nowhere: ${endpoint.reason}`, {
        endpoint: opening.text,
        hint: 'connect to another endpoint',
      })
  }
}

function openConduit(
  endpoint: VchanEndpoint,
  { dial, options, signal, onStep }: EndpointOpening,
): Promise<ConduitSocket> {
  const address = formatAddress(addressOfEndpoint(endpoint))
  onStep(`the conduit ${address}`)
  // The time limit is the signal's by now.
  const { tls: _tls, resolver: _resolver, noDelay: _noDelay, keepAlive: _keepAlive, ...own } = options
  return dial(address, { ...own, mode: 'stream', signal, timeoutMs: 0 })
}

type VchanEndpoint = VchanNameEndpoint | VchanDirectEndpoint

/** The address of a conduit; undefined for an endpoint that is none. */
export function addressOfEndpoint(endpoint: VchanEndpoint): Address
export function addressOfEndpoint(endpoint: Endpoint): Address | undefined
export function addressOfEndpoint(endpoint: Endpoint): Address | undefined {
  if (endpoint.kind === 'vchan-name') return { kind: 'name', name: endpoint.name, port: endpoint.port }
  return endpoint.kind === 'vchan-direct' ? { kind: 'direct', domid: endpoint.domid, port: endpoint.port } : undefined
}
