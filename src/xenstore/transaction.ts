// Runs a body inside a transaction, again when the store says that others were faster. Few at once: a domain may have
// ten open, and its other programs want some too.
import { encodeStrings, parseXenstoreU32 } from '../../protocol/xenstore-wire.js'
import { isConduitError } from '../errors.js'
import { backoffMs } from './backoff.js'
import type { Delay } from './link.js'
import type { RequestChannel } from './request-channel.js'
import type { Slots } from './slots.js'

/** An open transaction: pass it with each request that belongs to it. Valid until the body has ended. */
export class XenstoreTransaction {
  /** The store's number for it. */
  readonly id: number
  /** @internal */
  readonly channel: RequestChannel
  /** @internal */
  ended = false

  /** Made by XenstoreClient.transaction(). @internal */
  constructor(id: number, channel: RequestChannel) {
    this.id = id
    this.channel = channel
  }
}

/** How XenstoreClient.transaction() runs its body. */
export interface TransactionOptions {
  /** Gives up, also in a pause between attempts; before the commit was sent, nothing takes effect. */
  readonly signal?: AbortSignal | undefined
  /** How often the body may run; 64 by default. */
  readonly attempts?: number | undefined
}

export interface TransactionContext {
  readonly slots: Slots
  readonly delay: Delay
  readonly random: () => number
  /** @throws ConduitError XENSTORE_DISCONNECTED */
  channel(): RequestChannel
}

const DEFAULT_ATTEMPTS = 64
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 100

/** Start, body, end; all of it again on a conflict, or when the store has no transaction left. See XenstoreClient.transaction. */
export async function runTransaction<T>(
  context: TransactionContext,
  body: (transaction: XenstoreTransaction) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const { signal, attempts = DEFAULT_ATTEMPTS } = options
  if (!Number.isInteger(attempts) || attempts < 1)
    throw new RangeError(`attempts is ${attempts}, not a positive integer`)
  for (let attempt = 0; ; attempt++) {
    const release = await context.slots.acquire(signal)
    try {
      return await runOnce(context.channel(), body, signal)
    } catch (error) {
      if (!worthRetrying(error) || attempt + 1 >= attempts) throw error
    } finally {
      release()
    }
    await context.delay(backoffMs(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, context.random), { signal, ref: true })
  }
}

const worthRetrying = (error: unknown): boolean =>
  isConduitError(error, 'XENSTORE_CONFLICT') ||
  (isConduitError(error, 'XENSTORE_QUOTA') && error.syscall === 'TRANSACTION_START')

async function runOnce<T>(
  channel: RequestChannel,
  body: (transaction: XenstoreTransaction) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const transaction = await start(channel, signal)
  let result: T
  try {
    result = await body(transaction)
    signal?.throwIfAborted()
  } catch (error) {
    transaction.ended = true
    await end(channel, transaction.id, 'F').catch(() => {})
    throw error
  }
  transaction.ended = true
  await end(channel, transaction.id, 'T', signal)
  return result
}

async function start(channel: RequestChannel, signal: AbortSignal | undefined): Promise<XenstoreTransaction> {
  const payload = await channel.request({
    type: 'TRANSACTION_START',
    payload: encodeStrings(['']),
    signal,
    // The caller gave up meanwhile: the store must not keep it open.
    onLateReply: (late) => void end(channel, transactionId(channel, late), 'F').catch(() => {}),
  })
  return new XenstoreTransaction(transactionId(channel, payload), channel)
}

function transactionId(channel: RequestChannel, payload: Buffer): number {
  const id = payload.at(-1) === 0 ? parseXenstoreU32(payload.toString('latin1', 0, payload.length - 1)) : undefined
  if (id === undefined || id === 0) throw channel.breakOff('a transaction without a number')
  return id
}

async function end(
  channel: RequestChannel,
  transactionId: number,
  verdict: 'T' | 'F',
  signal?: AbortSignal,
): Promise<void> {
  await channel.request({ type: 'TRANSACTION_END', payload: encodeStrings([verdict]), transactionId, signal })
}
