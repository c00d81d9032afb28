// The composition root of the SDK: connect() and createServer() over one environment a thread, opened by the first use
// and gone some time after the last, and environments of one's own.
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
 * A socket to whoever holds a name. Addresses: `NAME`, `NAME:PORT`, `vchan://NAME`, `vchan://NAME/PORT`, and
 * `vchan://DOMID/PORT` for libxenvchan's own rendezvous.
 * @throws TypeError, RangeError for wrong options; ConduitError CONDUIT_NAME, EINVAL, ENOENT when nobody holds the name,
 * ECONNREFUSED when its holder takes no connections there, ETIMEDOUT, ECONNRESET, CONDUIT_MODE, SUBSTRATE_UNAVAILABLE, …;
 * the signal's reason.
 *
 * @example
 * const socket = await connect('echo', { signal })
 * socket.end('hello')
 * for await (const chunk of socket) process.stdout.write(chunk)
 */
export function connect(address: string, options: MessageConnectOptions): Promise<ConduitMessageSocket>
export function connect(address: string, options?: StreamConnectOptions): Promise<ConduitSocket>
export function connect(address: string, options?: ConnectOptions): Promise<ConduitSocket | ConduitMessageSocket>
export async function connect(
  address: string,
  options: ConnectOptions = {},
): Promise<ConduitSocket | ConduitMessageSocket> {
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
 * As net.createConnection: a socket at once, which emits `connect`, or `error` for what {@link connect} rejects with.
 * For callers such as http.Agent that cannot wait.
 */
export function createConnection(options: string | ConnectionOptions, onConnect?: () => void): ConduitSocket {
  return createConnectionIn(() => shared.acquire(), options, onConnect)
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
