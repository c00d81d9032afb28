// The composition root of the SDK: connect() and createServer() over one environment a thread, opened by the first use
// and gone some time after the last, and environments of one's own. What is no conduit needs no environment.
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { formatAddress } from '../protocol/conduit-address.js'
import {
  type Endpoint,
  parseEndpointJson,
  type TlsEndpoint,
  type VchanDirectEndpoint,
  type VchanNameEndpoint,
} from '../protocol/endpoint.js'
import type { HostAddress, SocketAddress, TlsAddress, UriAddress, XenAddress } from './adapters/address-types.js'
import { type ConnectWays, connectTarget } from './adapters/connect-target.js'
import {
  type CreatedSocket,
  createTargetConnection,
  type EndpointConnectionOptions,
} from './adapters/create-connection.js'
import type { DeferredSocket } from './adapters/deferred-socket.js'
import type { EndpointConnectOptions, EndpointSocket } from './adapters/endpoint-options.js'
import { addressOfEndpoint } from './adapters/open-endpoint.js'
import { systemClock } from './conduit/clock.js'
import { Conduit, type ConduitOptions } from './conduit/conduit.js'
import {
  addressOf,
  CONNECT_TIMEOUT_MS,
  type ConnectOptions,
  checkConnectOptions,
  type MessageConnectOptions,
  type StreamConnectOptions,
} from './conduit/connect-options.js'
import { type ConnectionOptions, createConnectionIn } from './conduit/create-connection.js'
import { startDeadline, untilAborted } from './conduit/deadline.js'
import { ConduitServer } from './conduit/server.js'
import type {
  ConnectionListener,
  MessageServerOptions,
  ServerOptions,
  StreamServerOptions,
} from './conduit/server-options.js'
import { SharedConduit } from './conduit/shared-conduit.js'
import { ConduitError } from './errors.js'
import { formatEndpoint } from './open-endpoint.js'
import { sharedResolver } from './open-resolver.js'
import { parseTarget, type Target } from './resolver/target.js'
import { openSubstrate, type SubstrateOptions } from './substrate/select.js'
import type { Substrate } from './substrate/substrate.js'
import type { ConduitMessageSocket } from './vchan/message-socket.js'
import type { ConduitSocket } from './vchan/socket.js'

/** How long the shared environment waits for the next user: a loop of connects should not open one each time. */
const SHARED_LINGER_MS = 1000

const shared = new SharedConduit({
  open: () => openEnvironment(),
  clock: systemClock,
  lingerMs: SHARED_LINGER_MS,
  onLastBreath: (callback) => {
    process.once('beforeExit', callback)
    return () => process.off('beforeExit', callback)
  },
})

/** What openEnvironment() takes: which substrate and how to reach it, and the limits of the rendezvous. */
export interface EnvironmentOptions extends SubstrateOptions, Omit<ConduitOptions, 'substrate'> {
  /** Use this one, such as one of `conduit-vchan/testing`, and close it with the environment. */
  readonly substrate?: Substrate | undefined
}

/**
 * An environment of one's own. Close it: it stays until then.
 * @throws RangeError; ConduitError SUBSTRATE_UNAVAILABLE, RUNTIME_DIR, ADDON_MISSING; the signal's reason.
 *
 * @example
 * await using conduit = await openEnvironment({ runtimeDir: '/run/user/1000/other' })
 * const socket = await conduit.connect('echo')
 */
export async function openEnvironment(options: EnvironmentOptions = {}): Promise<Conduit> {
  const substrate = options.substrate ?? (await openSubstrate(options))
  const { signal: _until, ...lasting } = options
  // Xen shares pages between two domains: within one they are the local backend's.
  const within = async () =>
    Conduit.open({ ...lasting, substrate: await openSubstrate({ ...lasting, backend: 'local' }) })
  const loopback = options.loopback ?? (substrate.kind === 'xen' ? within : undefined)
  return Conduit.open({ ...options, substrate, loopback })
}

/**
 * A socket to whatever an address leads to. A bare name, `NAME:PORT`, `vchan://NAME[/PORT]`, `vchan://DOMID/PORT` and names below `.xen`
 * are conduits; `tcp://HOST:PORT` and `unix:///PATH` sockets of the system; `tls://HOST:PORT`, `https://HOST/` and the like TLS over
 * either. `http://HOST/`, other services and `HOST:PORT` (a host has a dot in it) may be a conduit or TCP: rules and DNS decide, see
 * {@link resolveEndpoint}. An endpoint, as a value, is connected to as it is.
 *
 * The type tells which socket comes as far as the text is known to the compiler; a mere `string` is taken for a conduit's address. Where
 * it comes from outside and may be a URI, say what is expected: `connect(text as UriAddress)` gives the union.
 * @throws TypeError, RangeError for wrong options; ConduitError CONDUIT_NAME, EINVAL, ENOENT when nobody holds the name,
 * ECONNREFUSED when its holder takes no connections there, ETIMEDOUT, ECONNRESET, CONDUIT_MODE, SUBSTRATE_UNAVAILABLE, ENOTFOUND,
 * RESOLVER, TLS_HANDSHAKE, …; the signal's reason.
 *
 * @example
 * const socket = await connect('echo', { signal })
 * socket.end('hello')
 * for await (const chunk of socket) process.stdout.write(chunk)
 *
 * @example
 * const socket = await connect('https://www.example.org/', { tls: { ALPNProtocols: ['h2', 'http/1.1'] } })
 */
export function connect(address: string, options: MessageConnectOptions): Promise<ConduitMessageSocket>
export function connect(
  address: `vchan://${string}` | VchanNameEndpoint | VchanDirectEndpoint,
  options?: StreamConnectOptions,
): Promise<ConduitSocket>
export function connect(address: TlsAddress, options?: EndpointConnectOptions): Promise<TLSSocket>
export function connect(address: SocketAddress, options?: EndpointConnectOptions): Promise<Socket>
export function connect(address: UriAddress | Endpoint, options?: EndpointConnectOptions): Promise<EndpointSocket>
export function connect(address: XenAddress, options?: EndpointConnectOptions): Promise<ConduitSocket>
export function connect(address: HostAddress, options?: EndpointConnectOptions): Promise<EndpointSocket>
export function connect(address: string, options?: StreamConnectOptions): Promise<ConduitSocket>
export function connect(address: string, options?: ConnectOptions): Promise<ConduitSocket | ConduitMessageSocket>
export async function connect(
  address: string | Endpoint,
  options: ConnectOptions | EndpointConnectOptions = {},
): Promise<EndpointSocket | ConduitMessageSocket> {
  const target = targetOf(address)
  const conduit = 'endpoint' in target ? addressOfEndpoint(target.endpoint) : undefined
  if (conduit !== undefined) return connectConduit(formatAddress(conduit), options as ConnectOptions)
  return connectTarget(address, options as EndpointConnectOptions, ways)
}

const ways: ConnectWays = {
  dial: (address, options) => connectConduit(address, options) as Promise<ConduitSocket>,
  resolver: sharedResolver,
  clock: systemClock,
}

/** Over the shared environment. */
async function connectConduit(address: string, options: ConnectOptions): Promise<ConduitSocket | ConduitMessageSocket> {
  addressOf(address)
  checkConnectOptions(options)
  options.signal?.throwIfAborted()
  const leased = shared.acquire()
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS
  const limit = startDeadline(systemClock, {
    signal: options.signal,
    timeoutMs,
    onTimeout: () =>
      new ConduitError(
        'ETIMEDOUT',
        `connect to ${address}: waited ${timeoutMs} ms for the local hypervisor, or Xen's store`,
        {
          endpoint: address,
          hint: 'it is stopped or hangs: continue or end that process, or set CONDUIT_RUNTIME_DIR',
        },
      ),
  })
  const { conduit, release } = await untilAborted(leased, limit.signal)
    .catch((error: unknown) => {
      leased.then((lease) => lease.release()).catch(() => undefined)
      throw error
    })
    .finally(() => limit.clear())
  try {
    const socket = await conduit.connect(address, options)
    socket.once('close', release)
    return socket
  } catch (error) {
    release()
    throw error
  }
}

/**
 * As net.createConnection: a socket at once, which emits `connect` (with TLS `secureConnect`), or `error` for what {@link connect}
 * rejects with; a net.Socket's own errors are node's. For callers such as http.Agent that cannot wait. What an address leads to is found
 * while the socket is there already: where that may be a conduit or TCP it is a {@link DeferredSocket}.
 * @throws TypeError, RangeError; ConduitError CONDUIT_NAME, EINVAL at once
 */
export function createConnection(
  options: Exclude<TlsAddress, TlsEndpoint> | EndpointConnectionOptions<TlsAddress>,
  onConnect?: () => void,
): TLSSocket
export function createConnection(
  options: `tcp://${string}` | `unix://${string}` | EndpointConnectionOptions<SocketAddress>,
  onConnect?: () => void,
): Socket
export function createConnection(
  options: `http://${string}` | EndpointConnectionOptions<`http://${string}`>,
  onConnect?: () => void,
): DeferredSocket | ConduitSocket
export function createConnection(options: string | ConnectionOptions, onConnect?: () => void): ConduitSocket
export function createConnection(
  given: string | ConnectionOptions | EndpointConnectionOptions<string | Endpoint>,
  onConnect?: () => void,
): ConduitSocket | CreatedSocket {
  const { address, ...options }: EndpointConnectionOptions<string | Endpoint> =
    typeof given === 'string' ? { address: given } : given
  const target = targetOf(address)
  const text = typeof address === 'string' ? address : formatEndpoint(address)
  const known = (options.resolver ?? sharedResolver()).known(text, target)
  const conduit = known && addressOfEndpoint(known)
  if (conduit !== undefined) {
    return createConnectionIn(() => shared.acquire(), { ...options, address: formatAddress(conduit) }, onConnect)
  }
  const socket = createTargetConnection(target, { text, options, ways })
  if (onConnect !== undefined) socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', onConnect)
  return socket
}

/** @throws TypeError when it is neither; ConduitError CONDUIT_NAME, EINVAL */
function targetOf(address: unknown): Target {
  if (typeof address !== 'object' || address === null) return parseTarget(address)
  const endpoint = parseEndpointJson(address)
  if (!('problem' in endpoint)) return { endpoint }
  throw new ConduitError('EINVAL', endpoint.problem, { hint: endpoint.hint })
}

/**
 * A server that takes connections once it listens.
 *
 * @example
 * const server = createServer((socket) => socket.pipe(socket))
 * await server.listen('echo')
 */
export function createServer(
  options: MessageServerOptions,
  listener?: ConnectionListener<ConduitMessageSocket>,
): ConduitServer<ConduitMessageSocket>
export function createServer(
  options?: StreamServerOptions,
  listener?: ConnectionListener<ConduitSocket>,
): ConduitServer<ConduitSocket>
export function createServer(listener?: ConnectionListener<ConduitSocket>): ConduitServer<ConduitSocket>
export function createServer(options: ServerOptions, listener?: ConnectionListener): ConduitServer
export function createServer(
  first?: ServerOptions | ConnectionListener<never>,
  second?: ConnectionListener<never>,
): ConduitServer {
  const [options, listener] = typeof first === 'function' ? [{}, first] : [first ?? {}, second]
  return new ConduitServer(() => shared.acquire(), options, listener)
}
