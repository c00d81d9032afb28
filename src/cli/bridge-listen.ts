// The listening end of a bridge: TCP, a unix socket or a conduit, each client a Duplex with half-close.
import { lstatSync, unlinkSync } from 'node:fs'
import net, { type AddressInfo, type ListenOptions, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { ConduitError, type ConduitErrorCode, createServer } from '../index.js'
import type { ListenAddress } from './bridge-address.js'

export interface BridgeListener {
  /** Where clients find it, with the port that the kernel chose. */
  readonly address: string
  /** Take no more clients; a socket's file is gone then. Those there are stay open. */
  close(): void
}

export interface BridgeListenOptions {
  readonly onClient: (client: Duplex) => void
  /** It cannot take clients any more. */
  readonly onError: (error: Error) => void
  readonly signal: AbortSignal
}

/** @throws ConduitError EADDRINUSE, EACCES, SYSTEM, …; the signal's reason */
export async function bridgeListen(address: ListenAddress, options: BridgeListenOptions): Promise<BridgeListener> {
  if (address.kind === 'listen-conduit') return listenConduit(address.address, options)
  if (address.kind === 'listen-tcp') {
    const { host, port } = address
    const shown = `tcp://${host.includes(':') ? `[${host}]` : host}`
    const server = await listenNet({ host, port }, `${shown}:${port}`, options)
    return { address: `${shown}:${(server.address() as AddressInfo).port}`, close: () => void server.close() }
  }
  const text = `unix://${address.path}`
  // node removes the file when the server closes.
  const server = await listenUnix(address.path, text, options)
  return { address: text, close: () => void server.close() }
}

async function listenConduit(
  address: string,
  { onClient, onError, signal }: BridgeListenOptions,
): Promise<BridgeListener> {
  const server = createServer({ allowHalfOpen: true }, onClient)
  server.on('error', onError)
  await server.listen(address, { signal })
  return { address, close: () => void server.close() }
}

async function listenUnix(path: string, text: string, options: BridgeListenOptions): Promise<Server> {
  try {
    return await listenNet({ path }, text, options)
  } catch (error) {
    if ((error as ConduitError).code !== 'EADDRINUSE' || !(await isStale(path))) throw error
    unlinkSync(path)
    return listenNet({ path }, text, options)
  }
}

/** A socket that a killed program left: nobody listens on it. Any other file is not ours to remove. */
async function isStale(path: string): Promise<boolean> {
  if (!lstatSync(path).isSocket()) return false
  return new Promise((resolve) => {
    const probe = net.connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}

function listenNet(where: ListenOptions, text: string, { onClient, onError }: BridgeListenOptions): Promise<Server> {
  const server = net.createServer({ allowHalfOpen: true }, onClient)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(text, error)))
    server.listen(where, () => {
      server.removeAllListeners('error').on('error', onError)
      resolve(server)
    })
  })
}

const SAME: ReadonlySet<string> = new Set<ConduitErrorCode>(['EADDRINUSE', 'EACCES', 'ENOENT', 'EMFILE'])

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program, or another kind of file, is there: end it, or choose another address',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'ports below 1024 and other users’ folders need more rights',
  ENOENT: 'the folder of the socket is not there',
}

function listenError(text: string, cause: NodeJS.ErrnoException): ConduitError {
  const { code = '', message, syscall } = cause
  return new ConduitError(SAME.has(code) ? (code as ConduitErrorCode) : 'SYSTEM', `listen on ${text}: ${message}`, {
    endpoint: text,
    errno: code,
    syscall,
    hint: HINTS[code],
    cause,
  })
}
