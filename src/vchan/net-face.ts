// The methods and properties of net.Socket that http.Agent, TLS and their like call, over a channel that may still be
// on its way. Moves no bytes.
import { Duplex, type DuplexOptions } from 'node:stream'
import type { ChannelCounters, VchanChannel } from './channel.js'

/** Who the two ends are, for people and for http. */
export interface SocketIdentity {
  /** The peer's name, when it was found by one. */
  readonly name?: string | undefined
  /** The port within the name. */
  readonly port?: string | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: string | undefined
  readonly remoteAddress?: string | undefined
  readonly remotePort?: string | undefined
}

export type SocketReadyState = 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed'

const NO_COUNTERS: ChannelCounters = {
  bytesRead: 0,
  bytesWritten: 0,
  notifiesSent: 0,
  wakeups: 0,
  spinHits: 0,
  spinMisses: 0,
  lateLooks: 0,
}

export abstract class NetFace extends Duplex {
  /** The channel below; undefined while connecting. */
  protected channelBelow: VchanChannel | undefined
  #identity: SocketIdentity
  #timer: NodeJS.Timeout | undefined
  #timeoutMs = 0
  #held = true

  constructor(options: DuplexOptions, identity: SocketIdentity) {
    super(options)
    this.#identity = identity
  }

  get channel(): VchanChannel | undefined {
    return this.channelBelow
  }

  get connecting(): boolean {
    return this.channelBelow === undefined && !this.destroyed
  }

  /** True until there is a channel, as in node:net. */
  get pending(): boolean {
    return this.channelBelow === undefined
  }

  get readyState(): SocketReadyState {
    if (this.connecting) return 'opening'
    if (this.readable && this.writable) return 'open'
    if (this.readable) return 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  get bytesRead(): number {
    return this.channelBelow?.bytesRead ?? 0
  }

  /** Bytes that have gone into the ring. */
  get bytesWritten(): number {
    return this.channelBelow?.bytesWritten ?? 0
  }

  /** Bytes that wait for the ring. */
  get bufferSize(): number {
    return this.writableLength
  }

  get counters(): ChannelCounters {
    return this.channelBelow?.counters ?? NO_COUNTERS
  }

  /** Whether the peer tells the end of its direction from its death; if not, `end()` ends both directions. */
  get halfCloseSupported(): boolean {
    return this.channelBelow?.halfCloseSupported ?? false
  }

  get remoteAddress(): string | undefined {
    const { remoteAddress, name } = this.#identity
    return remoteAddress ?? name ?? (this.channelBelow && `vchan://${this.channelBelow.peer}`)
  }

  get remoteFamily(): string {
    return 'vchan'
  }

  get remotePort(): string | undefined {
    return this.#identity.remotePort ?? this.#identity.port
  }

  get localAddress(): string | undefined {
    return this.#identity.localAddress
  }

  get localPort(): string | undefined {
    return this.#identity.localPort
  }

  /** This end, as node:net puts it; empty while connecting. */
  address(): { address?: string; family?: string; port?: string } {
    if (this.pending) return {}
    const { localAddress, localPort } = this.#identity
    return {
      family: this.remoteFamily,
      ...(localAddress === undefined ? {} : { address: localAddress }),
      ...(localPort === undefined ? {} : { port: localPort }),
    }
  }

  /** For whoever learns only later who is at the other end. */
  identify(identity: SocketIdentity): void {
    this.#identity = { ...this.#identity, ...identity }
  }

  /** Emit `timeout` after `timeoutMs` without traffic; 0 turns it off. The socket is not closed by it. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    if (!(timeoutMs >= 0 && timeoutMs <= 0x7fffffff)) throw new RangeError(`a timeout of ${timeoutMs} ms`)
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timeoutMs = timeoutMs
    if (timeoutMs > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.emit('timeout'), timeoutMs).unref()
      if (callback !== undefined) this.once('timeout', callback)
    } else if (callback !== undefined) {
      this.removeListener('timeout', callback)
    }
    return this
  }

  get timeout(): number {
    return this.#timeoutMs
  }

  /** Nothing to do: writes of a tick are told at once when it ends. */
  setNoDelay(_noDelay?: boolean): this {
    return this
  }

  /** Nothing to do: a peer's death is noticed without probes. */
  setKeepAlive(_enable?: boolean, _initialDelayMs?: number): this {
    return this
  }

  ref(): this {
    this.#held = true
    this.channelBelow?.ref()
    return this
  }

  unref(): this {
    this.#held = false
    this.channelBelow?.unref()
    return this
  }

  /** Destroy once everything written has gone into the ring. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Destroy so that the peer sees a reset, where this side has not ended yet. */
  resetAndDestroy(): this {
    return this.destroy()
  }

  protected holdLoop(): void {
    if (this.#held) this.channelBelow?.ref()
  }

  protected noteTraffic(): void {
    this.#timer?.refresh()
  }

  protected stopTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
