// A socket at once for a connection that is still being found: which kind it is, ConduitSocket or net.Socket, is known only when the
// address has been resolved. Hands everything on, with back-pressure both ways, half-close and errors.
import { Duplex } from 'node:stream'
import { ConduitError } from '../errors.js'
import { IdleTimeout } from '../vchan/idle-timeout.js'
import type { EndpointSocket } from './endpoint-options.js'

type Callback = (error?: Error | null) => void

/** What createConnection() returns for an address that has to be resolved first. It has the face of a net.Socket. */
export class DeferredSocket extends Duplex {
  #inner: EndpointSocket | undefined
  readonly #abandon: () => void
  /** A write, or the end, that waits for the connection: streams have one of them under way at a time. */
  #parked: { readonly action: (inner: EndpointSocket) => void; readonly callback: Callback } | undefined
  #noDelay: boolean | undefined
  #keepAlive: readonly [boolean | undefined, number | undefined] | undefined
  #held = true
  readonly #idle = new IdleTimeout(this)
  /** What ends this socket once the reader has taken what came before. */
  #doom: Error | undefined

  /** For createConnection(). `abandon` ends the connecting. @internal */
  constructor(connecting: Promise<EndpointSocket>, abandon: () => void, options: { allowHalfOpen: boolean }) {
    super({ allowHalfOpen: options.allowHalfOpen })
    this.#abandon = abandon
    connecting.then(
      (inner) => this.#connected(inner),
      (error) => this.destroy(error),
    )
  }

  /** What was connected; undefined until `connect`. For looking: bytes read or written there are missing here. */
  get socket(): EndpointSocket | undefined {
    return this.#inner
  }

  /** True until `connect`, or until the socket was destroyed instead. */
  get connecting(): boolean {
    return this.#inner === undefined && !this.destroyed
  }

  /** True until there is a connection, as in node:net. */
  get pending(): boolean {
    return this.#inner === undefined
  }

  /** Which directions are open, in net.Socket's words. */
  get readyState(): string {
    if (this.connecting) return 'opening'
    if (this.readable && this.writable) return 'open'
    if (this.readable) return 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** As the socket below has it. */
  get remoteAddress(): string | undefined {
    return this.#inner?.remoteAddress
  }

  /** `IPv4`, `IPv6` or `vchan`. */
  get remoteFamily(): string | undefined {
    return this.#inner?.remoteFamily
  }

  /** A number by TCP, a word by vchan. */
  get remotePort(): number | string | undefined {
    return this.#inner?.remotePort
  }

  /** As the socket below has it. */
  get localAddress(): string | undefined {
    return this.#inner?.localAddress
  }

  /** A number by TCP, a word by vchan. */
  get localPort(): number | string | undefined {
    return this.#inner?.localPort
  }

  /** As the socket below has it. */
  get bytesRead(): number {
    return this.#inner?.bytesRead ?? 0
  }

  /** Bytes that the socket below was given. */
  get bytesWritten(): number {
    return this.#inner?.bytesWritten ?? 0
  }

  /** Milliseconds set by {@link setTimeout}; 0 when it is off. */
  get timeout(): number {
    return this.#idle.timeoutMs
  }

  /** This end, as node:net puts it; empty while connecting. */
  address(): object {
    return this.#inner?.address() ?? {}
  }

  /** Emit `timeout` after `timeoutMs` without traffic; 0 turns it off. The socket is not closed by it. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    this.#idle.set(timeoutMs, callback)
    return this
  }

  /** As in node:net; remembered until there is a connection. */
  setNoDelay(noDelay?: boolean): this {
    this.#noDelay = noDelay ?? true
    this.#inner?.setNoDelay(noDelay)
    return this
  }

  /** As in node:net; remembered until there is a connection. */
  setKeepAlive(enable?: boolean, initialDelayMs?: number): this {
    this.#keepAlive = [enable, initialDelayMs]
    this.#inner?.setKeepAlive(enable, initialDelayMs)
    return this
  }

  /** Keep the process alive while the connection is open; it does at first. */
  ref(): this {
    this.#held = true
    this.#inner?.ref()
    return this
  }

  /** Let the process end although the connection is open. */
  unref(): this {
    this.#held = false
    this.#inner?.unref()
    return this
  }

  /** Destroy once everything written has been handed on. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  override read(size?: number): unknown {
    const chunk = super.read(size)
    if (this.#doom !== undefined && this.readableLength === 0) process.nextTick(() => this.destroy(this.#doom))
    return chunk
  }

  /** @internal */
  override _read(): void {
    this.#inner?.resume()
  }

  /** @internal */
  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.#idle.refresh()
    this.#whenConnected((inner) => void inner.write(chunk, callback), callback)
  }

  /** @internal */
  override _final(callback: Callback): void {
    this.#whenConnected((inner) => void inner.end(() => callback()), callback)
  }

  /** @internal */
  override _destroy(error: Error | null, callback: Callback): void {
    this.#idle.stop()
    const parked = this.#parked
    this.#parked = undefined
    this.#abandon()
    this.#inner?.destroy()
    parked?.callback(error ?? new ConduitError('EPIPE', 'the socket was destroyed before it was connected'))
    callback(error)
  }

  #whenConnected(action: (inner: EndpointSocket) => void, callback: Callback): void {
    if (this.#inner === undefined) this.#parked = { action, callback }
    else action(this.#inner)
  }

  #connected(inner: EndpointSocket): void {
    if (this.destroyed) {
      inner.on('error', () => undefined)
      inner.destroy()
      return
    }
    this.#inner = inner
    inner.on('data', (chunk: Buffer) => {
      this.#idle.refresh()
      if (!this.push(chunk)) inner.pause()
    })
    inner.on('end', () => this.push(null))
    inner.on('error', (error: Error) => this.#failed(error))
    inner.on('close', () => this.#closed())
    if (this.#noDelay !== undefined) inner.setNoDelay(this.#noDelay)
    if (this.#keepAlive !== undefined) inner.setKeepAlive(...this.#keepAlive)
    if (!this.#held) inner.unref()
    this.emit('connect')
    this.emit('ready')
    const parked = this.#parked
    this.#parked = undefined
    parked?.action(inner)
  }

  /** What came before the failure is still to be read. */
  #failed(error: Error): void {
    if (this.readableLength === 0) this.destroy(error)
    else this.#doom = error
  }

  #closed(): void {
    if (this.#doom !== undefined || (this.readableEnded && this.writableFinished)) return
    if (this.readableEnded || this.readableLength === 0) this.destroy()
    else this.once('end', () => this.destroy())
  }
}
