// A socket at once, whose channel comes later: for callers such as http.Agent that cannot wait for a promise.
import { ConduitSocket } from '../vchan/socket.js'
import { addressOf, checkConnectOptions, type StreamConnectOptions } from './connect-options.js'
import { remoteOf } from './dialer.js'
import type { ConduitLease } from './server-options.js'

/** What createConnection() takes: address and options in one object, as http.Agent passes them on. Streams only. */
export interface ConnectionOptions extends StreamConnectOptions {
  /** As connect() takes it. */
  readonly address: string
}

/** @throws TypeError, RangeError; ConduitError CONDUIT_NAME, EINVAL at once; everything else is emitted as `error`. */
export function createConnectionIn(
  acquire: () => Promise<ConduitLease>,
  given: string | ConnectionOptions,
  onConnect?: () => void,
): ConduitSocket {
  const { address, signal, ...options }: ConnectionOptions = typeof given === 'string' ? { address: given } : given
  const target = addressOf(address)
  checkConnectOptions({ ...options, mode: 'stream' })
  const abandoned = new AbortController()
  const limit = signal === undefined ? abandoned.signal : AbortSignal.any([signal, abandoned.signal])
  const leased = acquire()
  const dialed = leased.then(({ conduit }) => conduit.dial(target, { ...options, mode: 'stream', signal: limit }))
  const channel = Promise.all([leased, dialed]).then(([{ conduit }, opened]) => {
    // Before the channel is the socket's: from then on the socket alone says when it is over.
    conduit.bind(socket, opened)
    return opened.channel
  })
  const socket: ConduitSocket = new ConduitSocket(channel, {
    ...options,
    ...(signal === undefined ? {} : { signal }),
    remoteAddress: remoteOf(target),
    remotePort: target.port,
  })
  if (onConnect !== undefined) socket.once('connect', onConnect)
  socket.once('close', () => {
    abandoned.abort()
    leased.then((lease) => lease.release()).catch(() => undefined)
  })
  return socket
}
