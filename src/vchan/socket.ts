// A channel as a stream.Duplex: back-pressure both ways, and which error ends it when. The words of node:net are in
// net-face.ts; bytes, wake-ups and ends are the channel's.
import { channel as diagnosticsChannel } from 'node:diagnostics_channel'
import { addAbortSignal, type DuplexOptions } from 'node:stream'
import type { VchanChannel } from './channel.js'
import { checkBytes } from './check-bytes.js'
import { NetFace, type SocketIdentity } from './net-face.js'
import { checkOnread, nextTarget, type OnReadOptions } from './onread.js'
import { ParkedWrites } from './parked-writes.js'
import { ReadBuffers } from './read-buffers.js'
import { brokenPipe, peerGone } from './vchan-error.js'

export interface ConduitSocketOptions extends SocketIdentity {
  /** Keep the writable side open when the peer ends. False by default, as in node:net. */
  readonly allowHalfOpen?: boolean | undefined
  /** Read into one buffer of your own, with no allocation a chunk: the fastest way. There are no `data` events then. */
  readonly onread?: OnReadOptions | undefined
  /** Bytes to buffer each way beside the ring; 64 KiB by default. */
  readonly highWaterMark?: number | undefined
  /** Do not read before somebody asks. */
  readonly pauseOnConnect?: boolean | undefined
  /** Destroys the socket with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

type Callback = (error?: Error | null) => void

const HIGH_WATER_MARK = 64 * 1024
/** Bytes handed on in one go before other work of the loop gets its turn. */
const TURN_BYTES = 1024 * 1024

const openChannel = diagnosticsChannel('conduit:socket:open')
const closeChannel = diagnosticsChannel('conduit:socket:close')
const wakeupChannel = diagnosticsChannel('conduit:socket:wakeup')

/**
 * A connection. Emits what net.Socket emits; `close` comes once, after everything is unmapped, with whether there was
 * an error. A peer that vanishes is an ECONNRESET once all it wrote was read; never an end.
 *
 * @example
 * const socket = await connect('echo')
 * socket.end('hello')
 * for await (const chunk of socket) process.stdout.write(chunk)
 */
export class ConduitSocket extends NetFace {
  readonly #buffers = new ReadBuffers()
  readonly #onread: OnReadOptions | undefined
  readonly #startPaused: boolean
  #wantsData = false
  #onreadPaused = false
  #pulling = false
  #ended = false
  #endQueued = false
  #parked: ParkedWrites | undefined
  #finalCallback: Callback | undefined
  /** What will end this socket once the reader has taken what came before. */
  #doom: Error | undefined

  /**
   * For connect() and servers. `channel`: connected, or a promise of that; the socket is `connecting` until it resolves,
   * then emits `connect`. @internal
   */
  constructor(channel: VchanChannel | Promise<VchanChannel>, options: ConduitSocketOptions = {}) {
    checkSocketOptions(options)
    super(duplexOptions(options), options)
    this.#onread = options.onread
    this.#startPaused = options.pauseOnConnect === true
    if (options.signal !== undefined) addAbortSignal(options.signal, this)
    if (!(channel instanceof Promise)) this.#attach(channel)
    else channel.then((ready) => this.#connected(ready)).catch((error) => this.destroy(error))
  }

  override read(size?: number): unknown {
    const chunk = super.read(size)
    if (this.#doom !== undefined && this.readableLength === 0) process.nextTick(() => this.#endByDoom())
    return chunk
  }

  override resume(): this {
    super.resume()
    this.#onreadPaused = false
    if (this.#onread !== undefined) this._read()
    return this
  }

  override pause(): this {
    this.#pauseOnread()
    return super.pause()
  }

  /** @internal */
  override _read(): void {
    if (this.#onreadPaused) return
    this.#wantsData = true
    this.#pull()
  }

  /** @internal */
  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    const channel = this.channelBelow
    if (channel === undefined) {
      this.#parked = new ParkedWrites([chunk], callback)
      return
    }
    this.noteTraffic()
    try {
      const written = channel.write(chunk)
      if (written === chunk.length) callback()
      else this.#parked = new ParkedWrites([chunk], callback, written)
    } catch (error) {
      this.#writeFailed(error as Error, callback)
    }
  }

  /** @internal */
  override _writev(items: { chunk: Uint8Array; encoding: BufferEncoding }[], callback: Callback): void {
    this.#parked = new ParkedWrites(
      items.map(({ chunk }) => chunk),
      callback,
    )
    this.#unpark()
  }

  /** @internal */
  override _final(callback: Callback): void {
    const channel = this.channelBelow
    this.#finalCallback = callback
    if (channel === undefined) return
    channel.end()
    this.#finish()
  }

  /** @internal */
  override _destroy(error: Error | null, callback: Callback): void {
    this.stopTimer()
    const channel = this.channelBelow
    const parked = this.#parked
    this.#parked = undefined
    const done = (): void => {
      parked?.callback(error ?? brokenPipe(channel?.peer ?? 0, 'the socket was destroyed'))
      callback(error)
      // After `error`, which the callback has queued.
      process.nextTick(() => this.#emitClose(error !== null))
    }
    if (channel === undefined) done()
    else channel.close().then(done, done)
  }

  /** Destroy, and wait for `close`: for `await using`. Call end() first where what was written must arrive. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closeEmitted) {
      const closed = new Promise<void>((resolve) => this.once('close', () => resolve()))
      this.destroy()
      await closed
    }
  }

  #closeEmitted = false

  #emitClose(hadError: boolean): void {
    this.#closeEmitted = true
    if (closeChannel.hasSubscribers) closeChannel.publish({ socket: this, hadError, counters: this.counters })
    this.emit('close', hadError)
  }

  #connected(channel: VchanChannel): void {
    if (this.destroyed) {
      channel.destroy()
      return
    }
    this.#attach(channel)
    this.emit('connect')
    this.emit('ready')
    if (this.#parked !== undefined) this.#unpark()
    if (this.#finalCallback !== undefined) this._final(this.#finalCallback)
    if (this.#wantsData) this.#pull()
  }

  #attach(channel: VchanChannel): void {
    this.channelBelow = channel
    channel.onWake(() => this.#wake(channel))
    this.holdLoop()
    if (openChannel.hasSubscribers) openChannel.publish({ socket: this })
    if (this.#startPaused) return
    if (this.#onread !== undefined) this.#wantsData = true
    process.nextTick(() => {
      if (this.destroyed || this.isPaused()) return
      if (this.#onread === undefined) this.read(0)
      else if (this.#wantsData) this.#pull()
    })
  }

  #wake(channel: VchanChannel): void {
    if (this.destroyed) return
    if (wakeupChannel.hasSubscribers) wakeupChannel.publish({ socket: this, counters: this.counters })
    if (channel.error !== undefined) {
      this.destroy(channel.error)
      return
    }
    if (this.#parked !== undefined) this.#unpark()
    if (this.#finalCallback !== undefined) this.#finish()
    if (this.#wantsData) this.#pull()
    else if (!this.#ended && channel.peerGone && !this.destroyed) this.#settleIdle(channel)
  }

  /** Move what is in the ring to the reader until either has had enough. */
  #pull(): void {
    const channel = this.channelBelow
    if (this.#pulling || channel === undefined || this.destroyed) return
    this.#pulling = true
    try {
      let budget = TURN_BYTES
      while (this.#wantsData && !this.destroyed && !this.#ended) {
        const count = this.#onread === undefined ? this.#pushChunk(channel) : this.#fillBuffer(channel, this.#onread)
        if (count === 0) break
        budget -= count
        if (budget <= 0) {
          channel.wakeLater()
          break
        }
      }
    } finally {
      this.#pulling = false
    }
  }

  #pushChunk(channel: VchanChannel): number {
    const ready = this.#ready(channel)
    if (ready === 0) return 0
    const chunk = this.#buffers.take(ready)
    channel.read(chunk)
    this.noteTraffic()
    if (!this.push(chunk)) this.#wantsData = false
    return chunk.length
  }

  #fillBuffer(channel: VchanChannel, onread: OnReadOptions): number {
    if (this.#ready(channel) === 0) return 0
    const target = this.#target(onread)
    if (target === undefined) return 0
    const count = channel.read(target)
    this.noteTraffic()
    if (onread.callback(count, target) === false) this.#pauseOnread()
    return count
  }

  #target(onread: OnReadOptions): Uint8Array | undefined {
    try {
      return nextTarget(onread)
    } catch (error) {
      this.destroy(error as Error)
      return undefined
    }
  }

  /** The stream below knows nothing of what onread takes, and may ask for more all the same. */
  #pauseOnread(): void {
    if (this.#onread === undefined) return
    this.#onreadPaused = true
    this.#wantsData = false
  }

  /** Bytes there; at 0 the end of the peer's direction has been dealt with. */
  #ready(channel: VchanChannel): number {
    try {
      const ready = channel.dataReady
      if (ready === 0) this.#settle(channel)
      return ready
    } catch (error) {
      this.destroy(error as Error)
      return 0
    }
  }

  #settle(channel: VchanChannel): void {
    if (this.#ended || this.#endQueued || channel.inbound === 'open') return
    if (channel.inbound === 'reset') {
      this.#ended = true
      this.#endWith(peerGone(channel.peer))
      return
    }
    // As in node:net the end has a turn of its own, after all that the last bytes have set off: node:http, for one, takes it for an
    // order to close, and what it would have answered is lost.
    this.#endQueued = true
    setImmediate(() => this.#end())
  }

  #end(): void {
    if (this.destroyed) return
    this.#ended = true
    this.push(null)
    // As in node:net: where nobody reads, or onread does, the end must come all the same.
    this.read(0)
  }

  /** Nobody asks for data, and the peer is gone: when nothing is left, say so now. */
  #settleIdle(channel: VchanChannel): void {
    this.#ready(channel)
  }

  #unpark(): void {
    const channel = this.channelBelow
    const parked = this.#parked
    if (channel === undefined || parked === undefined) return
    this.noteTraffic()
    try {
      if (!parked.flush(channel)) return
    } catch (error) {
      this.#parked = undefined
      this.#writeFailed(error as Error, parked.callback)
      return
    }
    this.#parked = undefined
    parked.callback()
  }

  /**
   * A reader still gets what the peer wrote before it went; only then does the socket fail, with this error. Until
   * then writes are dropped rather than held, their callbacks called: a pipe that waits for one would never read on.
   * `finish` does not come.
   */
  #writeFailed(error: Error, callback: Callback): void {
    const channel = this.channelBelow
    if (channel?.error === undefined && channel?.state !== 'closed' && this.#hasUnread()) {
      this.#doom ??= error
      // Not at once: who writes as long as it is taken must leave the loop to the reader.
      setImmediate(callback)
    } else {
      callback(error)
    }
  }

  #endWith(error: Error): void {
    if (this.readableLength > 0 && this.#hasReader()) this.#doom = error
    else this.destroy(error)
  }

  #endByDoom(): void {
    if (this.#doom === undefined || this.readableLength > 0 || this.destroyed) return
    if (this.#ended) this.destroy(this.#doom)
  }

  #hasUnread(): boolean {
    return this.#hasReader() && (this.readableLength > 0 || !this.#ended)
  }

  /** Somebody reads, if slowly. */
  #hasReader(): boolean {
    return this.readableFlowing !== null || this.listenerCount('readable') > 0 || this.#onread !== undefined
  }

  #finish(): void {
    const channel = this.channelBelow
    const callback = this.#finalCallback
    if (channel === undefined || callback === undefined || channel.outbound !== 'ended') return
    // What was dropped was not delivered: no `finish` before the error.
    if (this.#doom !== undefined) return
    const { lostBytes, peer } = channel
    const lost = lostBytes === 0 ? undefined : brokenPipe(peer, `it closed without reading the last ${lostBytes} bytes`)
    if (lost !== undefined && this.#hasUnread()) {
      this.#doom = lost
      return
    }
    this.#finalCallback = undefined
    callback(lost)
  }
}

/**
 * For who has to know before there is a channel.
 * @throws TypeError, RangeError
 */
export function checkSocketOptions({
  onread,
  highWaterMark,
}: Pick<ConduitSocketOptions, 'onread' | 'highWaterMark'>): void {
  if (onread !== undefined) checkOnread(onread)
  checkBytes('highWaterMark', highWaterMark)
}

function duplexOptions(options: ConduitSocketOptions): DuplexOptions {
  const highWaterMark = options.highWaterMark ?? HIGH_WATER_MARK
  // `close` is emitted by this class: with hadError, as in node:net.
  return { allowHalfOpen: options.allowHalfOpen === true, emitClose: false, highWaterMark }
}
