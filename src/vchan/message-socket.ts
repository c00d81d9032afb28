// A channel in message mode: whole messages in, whole messages out, by events, promises or iteration. Framing is in
// message-framing.ts; both peers have agreed on the mode before this begins.
import { EventEmitter } from 'node:events'
import { ConduitError } from '../errors.js'
import type { VchanChannel } from './channel.js'
import type { ChannelCounters } from './channel-counters.js'
import { checkBytes } from './check-bytes.js'
import { MessageReader, MessageWriter, tooLarge } from './message-framing.js'
import { MessageQueue } from './message-queue.js'
import { MessageReceivers } from './message-receivers.js'
import type { SocketIdentity } from './net-face.js'
import { brokenPipe, peerGone } from './vchan-error.js'

export interface ConduitMessageSocketOptions extends SocketIdentity {
  /** Largest message in either direction; 16 MiB by default. */
  readonly maxMessageBytes?: number | undefined
  /** Keep the sending side open when the peer ends. False by default. */
  readonly allowHalfOpen?: boolean | undefined
  /** Bytes held for a reader or for the ring before `send` returns false and reading stops; 256 KiB by default. */
  readonly highWaterMark?: number | undefined
}

/** What a {@link ConduitMessageSocket} emits, with the arguments of the listeners. */
export interface ConduitMessageSocketEvents {
  /** One message. Listening makes messages flow. */
  message: [message: Buffer]
  /** All messages that had come, at once: the fast way. Takes the place of `message`. */
  batch: [messages: Buffer[]]
  /** Everything sent has gone into the ring after `send` had returned false. */
  drain: []
  /** The peer has ended and every message was delivered. */
  end: []
  /**
   * Why the connection was lost, before `close`; not emitted where nobody listens and no messages flow: receive()
   * rejects with it.
   */
  error: [error: Error]
  /** Once, after everything is unmapped. */
  close: [hadError: boolean]
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
const HIGH_WATER_MARK = 256 * 1024
/** Bytes handed on in one go before other work of the loop gets its turn. */
const TURN_BYTES = 1024 * 1024

/**
 * Messages over a channel. `message` and `batch` listeners get them as they come; otherwise `receive()` or
 * `for await` fetches them, and the peer is held back while nobody does.
 *
 * @example
 * const socket = await connect('echo:messages', { mode: 'message' })
 * socket.send('ping')
 * for await (const message of socket) console.log(message.toString())
 */
export class ConduitMessageSocket extends EventEmitter<ConduitMessageSocketEvents> {
  /**
   * Largest message in either direction, in bytes: send() throws EMSGSIZE, a peer's larger one ends the socket with it.
   */
  readonly maxMessageBytes: number
  /** The name by which the two ends met; undefined for `vchan://DOMID/PORT`. */
  readonly name: string | undefined
  /** The port within the name that the client asked for; undefined where it asked for none. */
  readonly port: string | undefined
  /** At a client `vchan://DOMID` of its own domain, at a server the name that was connected to. */
  readonly localAddress: string | undefined
  /** At a client what it connected to, at a server `vchan://DOMID` of the client's domain. */
  readonly remoteAddress: string
  readonly #channel: VchanChannel
  readonly #allowHalfOpen: boolean
  readonly #highWaterMark: number
  readonly #reader: MessageReader
  readonly #writer = new MessageWriter()
  readonly #receivers = new MessageReceivers()
  readonly #queue = new MessageQueue()
  #flowing = false
  #paused = false
  #pulling = false
  #flushQueued = false
  #needsDrain = false
  #peerEnded = false
  #endAnnounced = false
  #ending = false
  #closed = false
  #error: Error | undefined
  #closing: Promise<void> | undefined

  /** For connect() and servers. @internal */
  constructor(channel: VchanChannel, options: ConduitMessageSocketOptions = {}) {
    super()
    checkMessageOptions(options)
    this.#channel = channel
    this.maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES
    this.name = options.name
    this.port = options.port
    this.localAddress = options.localAddress
    this.remoteAddress = options.remoteAddress ?? options.name ?? `vchan://${channel.peer}`
    this.#allowHalfOpen = options.allowHalfOpen === true
    this.#highWaterMark = options.highWaterMark ?? HIGH_WATER_MARK
    this.#reader = new MessageReader(this.maxMessageBytes)
    channel.onWake(() => this.#wake())
    channel.ref()
    EventEmitter.prototype.on.call(this, 'newListener', (event: string | symbol) => {
      if (event === 'message' || event === 'batch') process.nextTick(() => this.#flow())
    })
    process.nextTick(() => this.#pull())
  }

  /** The channel below, for looking: bytes read or written there are missing here. */
  get channel(): VchanChannel {
    return this.#channel
  }

  /** The channel's counters: bytes with the 4-byte length of each message, wake-ups, spins. */
  get counters(): ChannelCounters {
    return this.#channel.counters
  }

  /** Whether the peer tells the end of its direction from its death; if not, {@link end} ends both directions. */
  get halfCloseSupported(): boolean {
    return this.#channel.halfCloseSupported
  }

  /** Bytes sent that are not in the ring yet, headers included. */
  get bufferedAmount(): number {
    return this.#writer.bufferedBytes
  }

  /** True from the first close() or destroy(), also when the peer caused it; `close` may still be to come. */
  get destroyed(): boolean {
    return this.#closing !== undefined
  }

  /** True once {@link end} was called or the socket destroyed. */
  get ended(): boolean {
    return this.#ending || this.destroyed
  }

  /**
   * Queue a message. A large one is sent from where it is: leave its bytes alone until `drain`. False: wait for
   * `drain`, or go on and let it queue. On a connection that is gone it does nothing: `close` has told, or will.
   * @throws TypeError when it is neither bytes nor text; ConduitError EMSGSIZE before anything is written; EPIPE after `end()`
   */
  send(message: Uint8Array | string): boolean {
    const bytes = bytesOf(message)
    if (bytes.length > this.maxMessageBytes) throw tooLarge(bytes.length, this.maxMessageBytes, 'a')
    if (this.#ending) throw brokenPipe(this.#channel.peer, 'this side has ended')
    if (this.destroyed) return false
    try {
      this.#writer.add(this.#channel, bytes)
    } catch (error) {
      this.#writeFailed(error as Error)
      return false
    }
    if (!this.#flushQueued) {
      this.#flushQueued = true
      process.nextTick(() => this.#flush())
    }
    if (this.#writer.bufferedBytes < this.#highWaterMark) return true
    this.#needsDrain = true
    return false
  }

  /** {@link send} for each of `messages`; nothing is sent when one of them is too large. */
  sendMany(messages: Iterable<Uint8Array | string>): boolean {
    const all = Array.from(messages, bytesOf)
    const large = all.find((message) => message.length > this.maxMessageBytes)
    if (large !== undefined) throw tooLarge(large.length, this.maxMessageBytes, 'a')
    let room = !this.#needsDrain
    for (const message of all) room = this.send(message)
    return room
  }

  /**
   * The next message, in order; null when the peer has ended.
   * @throws the signal's reason; ConduitError ECONNRESET, EMSGSIZE, CONDUIT_PROTOCOL, VCHAN_CORRUPT
   */
  receive({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Buffer | null> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const ready = this.#shift()
    if (ready !== undefined) {
      this.#pull()
      return Promise.resolve(ready)
    }
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#peerEnded || this.destroyed) return Promise.resolve(null)
    const received = this.#receivers.wait(signal)
    this.#pull()
    return received
  }

  /** Every message that has come by now, at least one; null when the peer has ended. Throws as {@link receive}. */
  async receiveBatch(options: { signal?: AbortSignal | undefined } = {}): Promise<Buffer[] | null> {
    const first = await this.receive(options)
    if (first === null) return null
    const batch = [first, ...this.#queue.takeAll()]
    queueMicrotask(() => this.#announceEnd())
    this.#pull()
    return batch
  }

  /** Ends with the peer's direction; leaving the loop early closes the socket. Throws as {@link receive}. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        const message = await this.receive()
        if (message === null) return
        yield message
      }
    } finally {
      if (!this.#peerEnded) await this.close()
    }
  }

  /** Stop `message` and `batch` events; the peer is held back. */
  pause(): this {
    this.#paused = true
    return this
  }

  /** Go on after {@link pause}: what had come meanwhile is delivered before this returns. */
  resume(): this {
    this.#paused = false
    this.#dispatch()
    this.#pull()
    return this
  }

  /** Keep the process alive while the connection is open; it does at first. */
  ref(): this {
    this.#channel.ref()
    return this
  }

  /** Let the process end although the connection is open. */
  unref(): this {
    this.#channel.unref()
    return this
  }

  /** Send what is queued, then end this direction; the socket closes when both have ended. */
  end(): void {
    if (this.ended) return
    this.#ending = true
    this.#flush()
  }

  /** Close at once; the peer sees a reset unless this side had ended. Idempotent. */
  destroy(error?: Error): void {
    this.#error ??= error
    this.close().catch(() => {})
  }

  /** Idempotent; resolves after `close` was emitted. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  /** {@link close}, for `await using`: at once, so call {@link end} first where queued messages must arrive. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shutDown(): Promise<void> {
    await this.#channel.close()
    if (this.#error === undefined) this.#receivers.end()
    else this.#receivers.fail(this.#error)
    // Whoever only awaits receive() learns of the error there; an `error` event would end the process.
    const told = this.listenerCount('error') > 0 || this.#flowing
    this.#closed = true
    try {
      if (this.#error !== undefined && told) this.emit('error', this.#error)
    } finally {
      this.emit('close', this.#error !== undefined)
    }
  }

  #wake(): void {
    if (this.destroyed) return
    if (this.#channel.error !== undefined) {
      this.destroy(this.#channel.error)
      return
    }
    this.#flush()
    this.#pull()
  }

  #flow(): void {
    if (this.listenerCount('message') + this.listenerCount('batch') === 0) return
    this.#flowing = true
    this.#dispatch()
    this.#pull()
  }

  #flush(): void {
    this.#flushQueued = false
    if (this.destroyed) return
    try {
      if (this.#writer.bufferedBytes > 0) this.#writer.flush(this.#channel)
    } catch (error) {
      this.#writeFailed(error as Error)
      return
    }
    if (this.#writer.bufferedBytes > 0) return
    if (this.#needsDrain) {
      this.#needsDrain = false
      this.emit('drain')
    }
    if (this.#ending && !this.destroyed) {
      this.#channel.end()
      this.#closeWhenBothEnded()
    }
  }

  /** What the peer wrote before it went still comes first; its end, or its loss, then ends the socket. */
  #writeFailed(error: Error): void {
    if (!this.#channel.peerGone || this.#channel.state === 'closed' || this.#peerEnded) this.destroy(error)
    else this.#pull()
  }

  #wantsMore(): boolean {
    if (this.#flowing && !this.#paused) return true
    return this.#queue.bytes < this.#highWaterMark
  }

  #pull(): void {
    if (this.#pulling || this.destroyed || this.#peerEnded) return
    this.#pulling = true
    try {
      this.#pullTurn()
    } catch (error) {
      if (!(error instanceof ConduitError)) throw error
      this.destroy(error)
    } finally {
      this.#pulling = false
    }
  }

  #pullTurn(): void {
    let budget = TURN_BYTES
    while (this.#wantsMore()) {
      const batch: Buffer[] = []
      const count = this.#reader.readFrom(this.#channel, batch)
      if (count === 0) {
        this.#settle()
        return
      }
      if (batch.length > 0) this.#deliver(batch)
      if (this.destroyed) return
      budget -= count
      if (budget <= 0) {
        this.#channel.wakeLater()
        return
      }
    }
  }

  #settle(): void {
    const { inbound } = this.#channel
    if (inbound === 'open') return
    if (inbound === 'reset') throw peerGone(this.#channel.peer)
    if (this.#reader.partial) {
      throw new ConduitError('CONDUIT_PROTOCOL', 'the peer ended in the middle of a message', {
        domid: this.#channel.peer,
      })
    }
    this.#peerEnded = true
    this.#receivers.end()
    this.#announceEnd()
  }

  #announceEnd(): void {
    if (!this.#peerEnded || this.#endAnnounced || this.#queue.length > 0) return
    this.#endAnnounced = true
    this.emit('end')
    if (!this.#allowHalfOpen && !this.ended) this.end()
    this.#closeWhenBothEnded()
  }

  #closeWhenBothEnded(): void {
    if (this.#endAnnounced && this.#channel.outbound === 'ended') this.close().catch(() => {})
  }

  #deliver(batch: Buffer[]): void {
    if (this.#queue.length === 0 && this.#receivers.size === 0 && this.#flowsInBatches()) {
      this.emit('batch', batch)
      return
    }
    this.#queue.pushAll(batch)
    this.#dispatch()
  }

  #flowsInBatches(): boolean {
    return this.#flowing && !this.#paused && this.listenerCount('batch') > 0
  }

  /** Hand queued messages to whoever waits, in order. */
  #dispatch(): void {
    this.#receivers.serve(() => this.#shift())
    if (this.#queue.length > 0 && this.#flowsInBatches()) this.emit('batch', this.#queue.takeAll())
    while (this.#queue.length > 0 && this.#flowing && !this.#paused && !this.#closed) {
      this.emit('message', this.#shift()!)
    }
    this.#announceEnd()
  }

  #shift(): Buffer | undefined {
    const message = this.#queue.shift()
    if (message !== undefined && this.#peerEnded && this.#queue.length === 0) queueMicrotask(() => this.#announceEnd())
    return message
  }
}

/** @throws TypeError: what is written as something else than it says would be lost in silence */
function bytesOf(message: unknown): Uint8Array {
  if (typeof message === 'string') return Buffer.from(message)
  if (message instanceof Uint8Array) return message
  const what = (message as object | null | undefined)?.constructor?.name ?? String(message)
  throw new TypeError(`a message is a Uint8Array or a string, not ${what}`)
}

/**
 * For who has to know before there is a channel.
 * @throws TypeError, RangeError
 */
export function checkMessageOptions(
  options: Pick<ConduitMessageSocketOptions, 'maxMessageBytes' | 'highWaterMark'>,
): void {
  checkBytes('maxMessageBytes', options.maxMessageBytes)
  checkBytes('highWaterMark', options.highWaterMark)
}
