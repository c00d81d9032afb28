// `conduit-cat bridge ADDR ADDR`: moves bytes between connections of any two kinds. Where the left address listens, each client gets
// a connection of its own on the right, and one that breaks, or cannot be made, costs that client alone.
import type { Duplex } from 'node:stream'
import { ConduitError } from '../index.js'
import { Relay, resetStream } from '../jitsu/hold/relay.js'
import type { BridgeAddress } from './bridge-address.js'
import { type BridgeEnd, type OpenedAddress, openEnd } from './bridge-end.js'
import { type BridgeListener, bridgeListen } from './bridge-listen.js'
import type { Diagnostics } from './diagnostics.js'
import { EXIT, failureLine } from './exit-status.js'
import { formatBytes } from './quantity.js'

export interface BridgeOptions {
  readonly left: BridgeAddress
  readonly right: OpenedAddress
  /** For connecting, in milliseconds. */
  readonly timeoutMs: number | undefined
  readonly diagnostics: Diagnostics
  /** Aborts with an Interrupted. */
  readonly signal: AbortSignal
}

/**
 * Resolves with the exit status when both ends have closed; where the left one listens it ends by the signal, or with its one client
 * if the right one is stdio.
 * @throws ConduitError as listening and connecting have it, ECONNRESET; the signal's reason
 */
export async function bridge(options: BridgeOptions): Promise<number> {
  const { left, right, signal, timeoutMs } = options
  if (left.kind === 'listen-tcp' || left.kind === 'listen-unix' || left.kind === 'listen-conduit') {
    return serve(left, options)
  }
  const client = await openEnd(left, { signal, timeoutMs })
  const status = await serveOne(client.stream, right, options).catch(async (error: unknown) => {
    await client.over(false)
    throw error
  })
  const own = await client.over(true)
  return right.kind === 'exec' ? status : own
}

async function serve(
  left: Extract<BridgeAddress, { kind: `listen-${string}` }>,
  options: BridgeOptions,
): Promise<number> {
  const { right, signal, diagnostics } = options
  const serving = new Set<Promise<unknown>>()
  let finish: (outcome: Promise<number>) => void = () => undefined
  const finished = new Promise<number>((resolve) => {
    finish = resolve
  })
  let listener: BridgeListener | undefined
  const onClient = (client: Duplex): void => {
    // Nobody else can have the standard streams.
    if (right.kind === 'stdio' && serving.size > 0) {
      client.on('error', () => undefined)
      resetStream(client)
      return
    }
    const served = serveOne(client, right, options)
    serving.add(served)
    if (right.kind === 'stdio') {
      listener?.close()
      finish(served)
    }
    served
      .catch((error: unknown) => {
        const line = failureLine(error)
        if (line !== undefined && right.kind !== 'stdio') diagnostics.say(line)
      })
      .finally(() => serving.delete(served))
  }
  const onError = (error: Error): void => finish(Promise.reject(error))
  const onAbort = (): void => finish(Promise.reject(signal.reason))
  signal.addEventListener('abort', onAbort)
  listener = await bridgeListen(left, { onClient, onError, signal })
  diagnostics.tell(`listening on ${listener.address}`)
  try {
    signal.throwIfAborted()
    return await finished
  } finally {
    signal.removeEventListener('abort', onAbort)
    listener.close()
    await Promise.allSettled(serving)
  }
}

/** @throws ConduitError of connecting, or ECONNRESET when either side broke; the signal's reason. The client is closed then. */
async function serveOne(client: Duplex, right: OpenedAddress, options: BridgeOptions): Promise<number> {
  const { diagnostics, timeoutMs } = options
  const gone = new AbortController()
  const onClose = (): void =>
    gone.abort(new ConduitError('ECONNRESET', 'the client was gone before it could be served'))
  client.on('error', () => undefined).once('close', onClose)
  diagnostics.tell('connection from the left')
  let end: BridgeEnd
  try {
    end = await openEnd(right, { signal: AbortSignal.any([options.signal, gone.signal]), timeoutMs })
  } catch (error) {
    resetStream(client)
    throw error
  }
  client.off('close', onClose)
  return relayBoth(client, end, options)
}

async function relayBoth(client: Duplex, end: BridgeEnd, { diagnostics, signal }: BridgeOptions): Promise<number> {
  let bytes = 0
  let failure: Error | undefined
  const onFailure = (error: Error): void => {
    failure ??= error
  }
  client.on('error', onFailure)
  end.stream.on('error', onFailure)
  await new Promise<void>((resolve) => {
    const moved = (count: number): void => {
      bytes += count
    }
    const relay = new Relay(client, end.stream, {
      early: Buffer.alloc(0),
      moved,
      onFirstByte: () => undefined,
      onClose: () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      },
    })
    const onAbort = (): void => relay.reset()
    signal.addEventListener('abort', onAbort)
    // Either may have closed while the other was being made: nobody would hear of it.
    if (signal.aborted || client.destroyed || end.stream.destroyed) relay.reset()
    if (client.closed || end.stream.closed) resolve()
  })
  const clean = isClean(client) && isClean(end.stream)
  const status = await end.over(clean)
  signal.throwIfAborted()
  diagnostics.tell(`connection has ended${clean ? '' : ' by a reset'}: ${formatBytes(bytes)}`)
  if (clean) return status
  const why = failure === undefined ? 'one side dropped the connection before it was over' : failure.message
  throw new ConduitError('ECONNRESET', `bridge: ${why}`, { cause: failure })
}

const isClean = (stream: Duplex): boolean => stream.readableEnded && stream.writableFinished && stream.errored === null

/** For -z: only whether it can be connected to. @throws ConduitError as connect() */
export async function touch(
  address: OpenedAddress,
  options: Pick<BridgeOptions, 'signal' | 'timeoutMs'>,
): Promise<number> {
  const { stream } = await openEnd(address, options)
  stream.on('error', () => undefined)
  // Order matters: an end, and not a reset, is what the other side sees.
  await new Promise<void>((resolve) => stream.once('close', () => resolve()).end(() => stream.destroy()))
  return EXIT.OK
}
