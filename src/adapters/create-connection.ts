// As net.createConnection for what is no conduit by its address: a socket at once, whatever has to be found first. It is of node's own kind
// where the address says which, else a DeferredSocket.
import { connect as netConnect, type Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Endpoint } from '../../protocol/endpoint.js'
import { CONNECT_TIMEOUT_MS, checkConnectOptions } from '../conduit/connect-options.js'
import { ConduitError } from '../errors.js'
import { tcpPort } from '../resolver/found.js'
import { lookupBy } from '../resolver/lookup.js'
import type { HostTarget, Target } from '../resolver/target.js'
import { type ConnectWays, connectTarget } from './connect-target.js'
import { DeferredSocket } from './deferred-socket.js'
import type { EndpointConnectOptions, EndpointSocket } from './endpoint-options.js'
import { startTls, streamOptions } from './open-socket.js'

/** What createConnection() returns where it is no ConduitSocket. */
export type CreatedSocket = Socket | TLSSocket | DeferredSocket

/** What createConnection() takes beside a mere address: one object, as http.Agent passes it on. */
export interface EndpointConnectionOptions<Address> extends EndpointConnectOptions {
  /** As connect() takes it. */
  readonly address: Address
}

interface Creating {
  /** As it was written. */
  readonly text: string
  readonly options: EndpointConnectOptions
  readonly ways: ConnectWays
}

/** @throws TypeError, RangeError; ConduitError EINVAL at once; everything else is emitted as `error` */
export function createTargetConnection(target: Target, creating: Creating): CreatedSocket {
  const { options } = creating
  checkConnectOptions(options)
  const socket = 'endpoint' in target ? fromEndpoint(target.endpoint, creating) : fromHost(target, creating)
  return options.signal === undefined ? socket : addAbortSignal(options.signal, socket)
}

function fromEndpoint(endpoint: Endpoint, creating: Creating): CreatedSocket {
  const { options } = creating
  switch (endpoint.kind) {
    case 'tcp':
      return limited(
        netConnect({ host: endpoint.address, port: endpoint.port, ...tcpOptions(options) }),
        'connect',
        creating,
      )
    case 'unix':
      return limited(netConnect({ path: endpoint.path, ...streamOptions(options) }), 'connect', creating)
    case 'tls': {
      const below = deferred((inner) => connectTarget(endpoint.over, inner, creating.ways), halfOpen(options))
      return limited(startTls(below, endpoint.host, options), 'secureConnect', creating)
    }
    default:
      return deferred((inner) => connectTarget(endpoint, inner, creating.ways), options)
  }
}

function fromHost(target: HostTarget, creating: Creating): CreatedSocket {
  const { text, options, ways } = creating
  if (target.tls) {
    const below = deferred((inner) => connectTarget(text, inner, ways, withoutTls), halfOpen(options))
    return limited(startTls(below, target.host, options), 'secureConnect', creating)
  }
  if (!target.tcpOnly) return deferred((inner) => connectTarget(text, inner, ways), options)
  const lookup = lookupBy(() => options.resolver ?? ways.resolver())
  const where = { host: target.host, port: tcpPort(text, target), lookup, autoSelectFamily: true }
  return limited(netConnect({ ...where, ...tcpOptions(options) }), 'connect', creating)
}

const tcpOptions = (options: EndpointConnectOptions) => {
  const { noDelay = false, keepAlive = false } = options
  return { noDelay, keepAlive, ...streamOptions(options) }
}

/** What TLS runs over ends no direction by itself. */
const halfOpen = (options: EndpointConnectOptions): EndpointConnectOptions => ({
  ...options,
  allowHalfOpen: true,
  onread: undefined,
})

/** The TLS around it is made at once, on the socket that is still to be connected. */
const withoutTls = (endpoint: Endpoint): Endpoint => (endpoint.kind === 'tls' ? endpoint.over : endpoint)

function deferred(
  connecting: (options: EndpointConnectOptions) => Promise<EndpointSocket>,
  options: EndpointConnectOptions,
): DeferredSocket {
  const abandoned = new AbortController()
  const { allowHalfOpen = false, signal: _signal, onread: _onread, ...rest } = options
  const inner = { ...rest, allowHalfOpen: true, signal: abandoned.signal }
  return new DeferredSocket(connecting(inner), () => abandoned.abort(), { allowHalfOpen })
}

/** The time limit of connecting, for a socket that is node's own. */
function limited<Kind extends Socket>(socket: Kind, event: string, { text, options, ways }: Creating): Kind {
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS
  if (timeoutMs === 0) return socket
  const timer = ways.clock.after(timeoutMs, () => {
    const message = `connect to ${text}: waited ${timeoutMs} ms`
    socket.destroy(new ConduitError('ETIMEDOUT', message, { endpoint: text, hint: 'timeoutMs sets the limit' }))
  })
  socket.once(event, () => timer.cancel())
  socket.once('close', () => timer.cancel())
  return socket
}
