// Opens TCP, unix and TLS connections of node's own, and waits until they stand. Nothing is looked up here.
import { isIP, connect as netConnect, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { EndpointConnectOptions, EndpointSocket } from './endpoint-options.js'
import { connectError, handshakeError } from './socket-error.js'

/** What is opened for whom. */
export interface Opening {
  /** As the caller wrote it, for messages. */
  readonly text: string
  readonly options: EndpointConnectOptions
  /** Ends the waiting; a socket that stands is not touched by it. */
  readonly signal: AbortSignal
}

/** @throws ConduitError ECONNREFUSED, ETIMEDOUT, EACCES, EMFILE, SYSTEM; the signal's reason */
export function openTcp(addresses: readonly string[], port: number, opening: Opening): Promise<Socket> {
  return whenConnected(netConnect(tcpOptions(addresses, port, opening.options)), opening)
}

/** @throws ConduitError ENOENT, ECONNREFUSED, EACCES, EMFILE, SYSTEM; the signal's reason */
export function openUnix(path: string, opening: Opening): Promise<Socket> {
  return whenConnected(netConnect({ path, ...streamOptions(opening.options) }), opening)
}

/** Several addresses are tried in turn, each a moment after the one before (RFC 8305): node's autoSelectFamily. */
function tcpOptions(addresses: readonly string[], port: number, options: EndpointConnectOptions): TcpNetConnectOpts {
  const { noDelay = false, keepAlive = false } = options
  const common = { port, noDelay, keepAlive, ...streamOptions(options) }
  const [only, ...more] = addresses
  if (more.length === 0) return { host: only!, ...common }
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  return {
    // Not an address: the name is only there to be looked up.
    host: 'resolved.invalid',
    lookup: (_host, { all }, callback) => {
      if (all) callback(null, found)
      else callback(null, found[0]!.address, found[0]!.family)
    },
    autoSelectFamily: true,
    ...common,
  }
}

/** What every socket of node's takes. */
export function streamOptions({ allowHalfOpen = false, highWaterMark, onread }: EndpointConnectOptions) {
  return {
    allowHalfOpen,
    ...(highWaterMark === undefined ? {} : { highWaterMark }),
    ...(onread === undefined ? {} : { onread: nodesOnread(onread) }),
  }
}

/** Ours may return nothing to go on; node's wants a boolean. */
function nodesOnread({ buffer, callback }: NonNullable<EndpointConnectOptions['onread']>) {
  return { buffer, callback: (bytes: number, into: Uint8Array) => callback(bytes, into) !== false }
}

/** @throws ConduitError TLS_HANDSHAKE, ECONNRESET, EPIPE; the signal's reason. The socket below is destroyed then. */
export async function openTls(below: EndpointSocket, host: string, opening: Opening): Promise<TLSSocket> {
  const socket = startTls(below, host, opening.options)
  try {
    return await whenReady(socket, 'secureConnect', opening.signal, (error) => handshakeError(opening.text, error))
  } catch (error) {
    below.destroy()
    throw error
  }
}

/** TLS as soon as the socket below stands. */
export function startTls(below: Duplex, host: string, options: EndpointConnectOptions): TLSSocket {
  // SNI takes names only (RFC 6066 section 3); the certificate is checked against the host either way.
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const socket = tlsConnect({ ...servername, ...options.tls, host, socket: below as Socket })
  // tls.connect takes it from the socket below, which must not end by itself before TLS has.
  socket.allowHalfOpen = options.allowHalfOpen === true
  below.on('error', (error: Error) => socket.destroy(error))
  return socket
}

const whenConnected = (socket: Socket, { text, signal }: Opening): Promise<Socket> =>
  whenReady(socket, 'connect', signal, (error) => connectError(text, error))

function whenReady<Kind extends Socket>(
  socket: Kind,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
  explain: (error: NodeJS.ErrnoException) => Error,
): Promise<Kind> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      signal.removeEventListener('abort', onAbort)
      socket.off(event, onReady)
      socket.off('error', onError)
      done()
    }
    const onReady = () => settle(() => resolve(socket))
    const onError = (error: NodeJS.ErrnoException) => {
      settle(() => reject(explain(error)))
      socket.destroy()
    }
    const onAbort = () => {
      settle(() => reject(signal.reason))
      // It may still fail: nobody is left to hear of it.
      socket.on('error', () => undefined)
      socket.destroy()
    }
    socket.once(event, onReady)
    socket.once('error', onError)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}
