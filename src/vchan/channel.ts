// One open vchan: non-blocking stream and packet operations, wake-ups, the ends of both directions, teardown.
// Knows no names and no store; buffering and back-pressure are the socket's.
import { END_STATE } from '../../protocol/vchan-page.js'
import type { Domid, EvtchnPort, Gref } from '../../protocol/xen.js'
import { ConduitError } from '../errors.js'
import type { Substrate } from '../substrate/substrate.js'
import { Arrival } from './arrival.js'
import type { ChannelCounters } from './channel-counters.js'
import { ChannelEnds, type Outbound } from './channel-ends.js'
import { type ChannelParts, openRings } from './channel-parts.js'
import { type Address, type ConnectOptions, connectParts } from './connect.js'
import { connectProvisionedParts } from './connect-provisioned.js'
import type { ControlPage, Role } from './control-page.js'
import { type ControlPageSnapshot, snapshotControlPage } from './control-page-snapshot.js'
import { type Direction, PeerStatus } from './peer-status.js'
import type { RingReader } from './ring-reader.js'
import type { RingWriter } from './ring-writer.js'
import { type ServeOptions, serveParts } from './serve.js'
import { Sleeper } from './sleeper.js'
import { checkSpinMicros } from './spin-policy.js'
import { closed } from './vchan-error.js'
import { WakeLoop } from './wake-loop.js'

/** A server waiting for its client; in use; closed by this side or failed. */
export type ChannelState = 'waiting' | 'open' | 'closed'

/** Spins of one write call on a full ring. */
const WRITE_SPINS_MAX = 16
const flushOwed = (channel: VchanChannel): void => channel.flush()

/**
 * One end of a vchan: two byte rings, a control page and an event channel. Sockets sit on it; `socket.channel` is for
 * looking, since what is read or written here is missing from the socket's stream.
 *
 * The operations never wait: they move what can be moved now, and the handler set by {@link onWake} runs when more can
 * be.
 */
export class VchanChannel {
  /** Which end this is; {@link Role} says what follows from it. */
  readonly role: Role
  /**
   * The domain at the other end: whom the pages are granted to, or who granted them. Proven by the hypervisor, not
   * claimed.
   */
  readonly peer: Domid
  /** The control page's grant reference, in the server's numbers; with {@link port} all that a client needs to know. */
  readonly ringRef: Gref
  /** The event channel's port at the server's end, whichever end this is. */
  readonly port: EvtchnPort
  /** Size of the ring this end reads, a power of two in 1,024…1,048,576: what the peer can write ahead. */
  readonly readRingBytes: number
  /** Size of the ring this end writes, likewise; the two may differ, and {@link send} takes no more than this. */
  readonly writeRingBytes: number
  private readonly parts: ChannelParts
  private readonly page: ControlPage
  private readonly reader: RingReader
  private readonly writer: RingWriter
  private readonly status: PeerStatus
  private readonly sleeper: Sleeper
  private readonly arrival = new Arrival()
  private readonly ends: ChannelEnds
  private readonly loop: WakeLoop
  private failure: ConduitError | undefined
  private flushQueued = false
  private closing: Promise<void> | undefined
  private readCount = 0
  private writtenCount = 0

  private constructor(parts: ChannelParts, spinMicros: number | undefined) {
    const rings = openRings(parts)
    this.parts = parts
    this.role = parts.role
    this.peer = parts.peer
    this.ringRef = parts.ringRef
    this.port = parts.port
    this.page = rings.page
    this.reader = rings.reader
    this.writer = rings.writer
    this.readRingBytes = rings.reader.sizeBytes
    this.writeRingBytes = rings.writer.sizeBytes
    this.status = new PeerStatus(rings.page, parts.role, parts.peer, parts.endMarks)
    this.sleeper = new Sleeper(parts.event, parts.control, rings, spinMicros)
    this.ends = new ChannelEnds(parts, rings, this.status, this.sleeper)
    this.loop = new WakeLoop(this, this.page, this.sleeper)
  }

  /**
   * Be the server: share the pages, open a port, fill in the control page. Publish `ringRef` and `port` for the client.
   * @throws RangeError for sizes over 1 MiB; ConduitError GRANT_LIMIT, SUBSTRATE_LOST
   */
  static async serve(substrate: Substrate, peer: Domid, options: ServeOptions): Promise<VchanChannel> {
    checkSpinMicros(options.spinMicros)
    return VchanChannel.over(await serveParts(substrate, peer, options), options.spinMicros)
  }

  /**
   * Be the client of what `peer` published.
   * @throws ConduitError VCHAN_LAYOUT (with errno EAGAIN when the page is not filled in yet), VCHAN_CORRUPT,
   * VCHAN_CLOSED when the server is gone, GRANT_INVALID, MAPPING_FAILED, EVTCHN_INVALID, SUBSTRATE_LOST
   */
  static async connect(
    substrate: Substrate,
    peer: Domid,
    ringRef: Gref,
    port: EvtchnPort,
    options: ConnectOptions = {},
  ): Promise<VchanChannel> {
    checkSpinMicros(options.spinMicros)
    return VchanChannel.over(await connectParts(substrate, { peer, ringRef, port }), options.spinMicros)
  }

  /**
   * The same where a toolstack published the two before `peer` ran: binds the port and waits until the peer has granted the page.
   * @throws ConduitError ECONNREFUSED when somebody has bound the port, and as {@link connect}; the signal's reason
   */
  static async connectProvisioned(
    substrate: Substrate,
    address: Address,
    { spinMicros, signal }: ConnectOptions & { signal: AbortSignal },
  ): Promise<VchanChannel> {
    checkSpinMicros(spinMicros)
    return VchanChannel.over(await connectProvisionedParts(substrate, address, signal), spinMicros)
  }

  /** Over pages and port that a handshake has made ready: the last steps of it, and the channel is open. */
  static over(parts: ChannelParts, spinMicros?: number): VchanChannel {
    const channel = new VchanChannel(parts, spinMicros)
    const page = channel.page
    if (parts.role === 'client') {
      // Order matters: whoever sees me alive finds my end state; the kick is last, when the answer can be taken.
      if (parts.endMarks) page.publishEnd(END_STATE.OPEN)
      page.sayAlive()
      page.armAtConnect()
    }
    parts.event.onEvent((wake) => channel.loop.wake(wake, true))
    if (parts.role === 'client') page.notify()
    return channel
  }

  /** Never goes back. A peer that vanished leaves it `open` until this side closes: there may be bytes left to read. */
  get state(): ChannelState {
    if (this.closing !== undefined) return 'closed'
    return this.status.live === 'awaited' ? 'waiting' : 'open'
  }

  /** Why the channel was closed, when it failed or was destroyed with an error. */
  get error(): ConduitError | undefined {
    return this.failure
  }

  /** The peer's direction as far as it has been read: `ended` and `reset` only once every byte was taken. */
  get inbound(): Direction {
    return this.ends.inbound
  }

  /** How far {@link end} has come; always `open` before it is called, also when the peer has gone. */
  get outbound(): Outbound {
    return this.ends.outbound
  }

  /** The peer was there and is gone. What it wrote may still be in the ring. */
  get peerGone(): boolean {
    return this.status.live === 'gone'
  }

  /** Whether the peer tells the end of its direction from its death; false until a client has come. */
  get halfCloseSupported(): boolean {
    return this.status.knowsEndMarks
  }

  /** Bytes taken out of the ring so far. */
  get bytesRead(): number {
    return this.readCount
  }

  /** Bytes put into the ring so far, read by the peer or not. */
  get bytesWritten(): number {
    return this.writtenCount
  }

  /** Bytes that the peer had not read when it was found gone. */
  get lostBytes(): number {
    return this.ends.lostBytes
  }

  /** All counters at once, in a new object: take the difference of two to see a rate. */
  get counters(): ChannelCounters {
    return {
      bytesRead: this.readCount,
      bytesWritten: this.writtenCount,
      notifiesSent: this.page.notifiesSent,
      wakeups: this.loop.wakeups,
      spinHits: this.sleeper.spinHits,
      spinMisses: this.sleeper.spinMisses,
      lateLooks: this.sleeper.lateLooks,
    }
  }

  /**
   * Resolves when the client has come, at once for a client.
   * @throws the signal's reason; ConduitError VCHAN_CLOSED when the channel is closed first
   */
  connected({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.closing !== undefined) return Promise.reject(this.failure ?? closed(this.peer))
    if (this.status.live !== 'awaited') return signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve()
    return this.arrival.wait(signal)
  }

  /**
   * Take what is there, up to the target's length. 0: nothing now, see {@link inbound}; the handler runs when there is.
   * @throws ConduitError VCHAN_CORRUPT, VCHAN_CLOSED
   */
  read(target: Uint8Array): number {
    return this.readInto(target, 0, target.length)
  }

  /** {@link read} into `target[start, end)`. */
  readInto(target: Uint8Array, start: number, end: number): number {
    this.assertOpen()
    try {
      const count = this.reader.read(target, start, end)
      if (count > 0) return this.took(count)
      return start < end && this.ends.mayRead() ? this.took(this.reader.read(target, start, end)) : 0
    } catch (error) {
      throw this.fail(error)
    }
  }

  /**
   * Put in what fits. Less than the source's length: the ring is full, and the handler runs when there is space.
   * @throws ConduitError EPIPE, ECONNRESET, VCHAN_CORRUPT, VCHAN_CLOSED
   */
  write(source: Uint8Array): number {
    return this.writeFrom(source, 0, source.length)
  }

  /** {@link write} of `source[start, end)`. */
  writeFrom(source: Uint8Array, start: number, end: number): number {
    this.assertWritable()
    try {
      let at = start + this.writer.write(source, start, end)
      for (let spins = 0; at < end && spins < WRITE_SPINS_MAX && this.sleeper.spinForSpace(); spins++) {
        at += this.writer.write(source, at, end)
      }
      if (at < end && this.sleeper.missesSpace()) at += this.writer.write(source, at, end)
      return this.gave(at - start)
    } catch (error) {
      throw this.fail(error)
    }
  }

  /**
   * Fill the target or take nothing: vchan's packet mode, which has no framing on the wire.
   * @throws RangeError when the target is larger than the ring; ConduitError as {@link read}
   */
  receive(target: Uint8Array): boolean {
    const { length } = target
    if (length > this.readRingBytes) throw new RangeError(`${length} bytes never fit a ring of ${this.readRingBytes}`)
    this.assertOpen()
    try {
      if (this.reader.known < length && this.reader.look() < length && this.ends.lacksData(length)) return false
      this.took(this.reader.read(target, 0, length))
      return true
    } catch (error) {
      throw this.fail(error)
    }
  }

  /**
   * Put in all of the source or nothing.
   * @throws RangeError when the source is larger than the ring; ConduitError as {@link write}
   */
  send(source: Uint8Array): boolean {
    const { length } = source
    if (length > this.writeRingBytes) throw new RangeError(`${length} bytes never fit a ring of ${this.writeRingBytes}`)
    this.assertWritable()
    try {
      if (this.writer.known < length && this.writer.look() < length) {
        if (!this.sleeper.missesSpace() || this.writer.known < length) return false
      }
      this.gave(this.writer.write(source, 0, length))
      return true
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** Bytes that can be read now. At 0 the handler runs when there are some. @throws ConduitError VCHAN_CORRUPT, VCHAN_CLOSED */
  get dataReady(): number {
    this.assertOpen()
    try {
      const ready = this.reader.look()
      return ready === 0 && this.ends.mayRead() ? this.reader.known : ready
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** Bytes that can be written now. At 0 the handler runs when there is space. @throws ConduitError VCHAN_CORRUPT, VCHAN_CLOSED */
  get bufferSpace(): number {
    this.assertOpen()
    try {
      const space = this.writer.look()
      return space === 0 && this.sleeper.missesSpace() ? this.writer.known : space
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** Set the one handler: it runs when the peer may have read, written, ended or vanished, and when the channel fails. */
  onWake(handler: () => void): void {
    this.loop.handler = handler
  }

  /** Have the handler run in a later turn of the loop: for an owner that stops although there is more to do. */
  wakeLater(): void {
    this.loop.wakeLater()
  }

  /**
   * Have what is read from now on stay in the ring, as far as the peer can tell, until it is {@link release}d: for owners
   * who hand it on and must not lose it. What is held when this side closes counts as unread to the peer, and the
   * end of the peer's direction comes when nothing is held any more.
   */
  holdReads(): void {
    this.reader.holds = true
  }

  /** The oldest `bytes` of what is held have been handed on. @throws RangeError when fewer are held */
  release(bytes: number): void {
    if (this.unusable) return
    this.reader.release(bytes)
    this.owe()
    if (this.reader.held === 0 && this.ends.direction !== 'open') this.wakeLater()
  }

  /**
   * Have {@link end} wait until the peer has read everything ({@link outbound} is `ending` until then), or has gone: then
   * {@link lostBytes} says what it left. Without it, what the peer does with the last ringful remains unknown.
   */
  linger(): void {
    this.ends.lingers = true
  }

  /**
   * End my direction: the peer gets what was written, then EOF, and may go on writing. A peer without end marks
   * must have read everything first ({@link outbound} is `ending` until then), and then the channel hangs up.
   */
  end(): void {
    if (this.unusable || this.ends.outbound !== 'open') return
    this.ends.end()
    this.observe()
  }

  /** Close at once. The peer sees a reset unless this side had ended. Idempotent. */
  destroy(error?: ConduitError): void {
    this.failure ??= error
    void this.close()
  }

  /** Say dead, notify, stop polling, unmap. Idempotent; resolves when everything is released. */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Keep the event loop alive while the channel is open. */
  ref(): void {
    this.parts.event.ref()
  }

  /** Let the process end although the channel is open, as it may before the first {@link ref}. */
  unref(): void {
    this.parts.event.unref()
  }

  /** The control page decoded once. @throws ConduitError VCHAN_CLOSED */
  inspect(): ControlPageSnapshot {
    this.assertOpen()
    return snapshotControlPage(this.parts.control.buffer)
  }

  /** Tell the peer at once what was read and written in this tick; done anyway when the tick ends. */
  flush(): void {
    this.flushQueued = false
    if (!this.unusable) this.page.payOwed()
  }

  /**
   * Closed, or its pages were taken away: the substrate itself was closed.
   * @internal
   */
  get unusable(): boolean {
    return this.closing !== undefined || this.parts.control.closed
  }

  /**
   * Look at the peer's life and end; what follows from them is done here, what is left to read is not.
   * @internal
   */
  observe(): void {
    try {
      if (this.ends.observe()) this.arrival.settle()
    } catch (error) {
      this.fail(error)
    }
  }

  /**
   * A peer's impossible value ends the channel; anything else is a mistake of this program and passes through.
   * @internal
   */
  fail(error: unknown): unknown {
    if (error instanceof ConduitError) this.destroy(error)
    return error
  }

  private took(count: number): number {
    this.readCount += count
    this.owe()
    return count
  }

  private gave(count: number): number {
    this.writtenCount += count
    this.owe()
    return count
  }

  /** One notification for everything that is read and written in this tick. */
  private owe(): void {
    if (this.flushQueued || this.sleeper.awake || !this.page.owesNotify) return
    this.flushQueued = true
    process.nextTick(flushOwed, this)
  }

  private assertOpen(): void {
    if (this.unusable) throw this.failure ?? closed(this.peer)
  }

  private assertWritable(): void {
    this.assertOpen()
    this.ends.assertWritable()
  }

  private shutDown(): Promise<void> {
    // Order matters: dead and told before anything is taken away; no handler after that; then unmap.
    if (!this.parts.control.closed) this.page.sayDead()
    this.page.notify()
    this.sleeper.retire()
    const stopped = this.parts.event.close()
    for (const pages of this.parts.pages) pages.close()
    const reason = this.failure ?? closed(this.peer)
    this.arrival.fail(reason)
    return stopped
  }
}
