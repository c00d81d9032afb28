// The methods and properties of net.Socket that http.Agent, TLS and their like call, over a channel that may still be
// on its way. Moves no bytes.
import { Duplex, type DuplexOptions } from 'node:stream'
import type { VchanChannel } from './channel.js'
import type { ChannelCounters } from './channel-counters.js'
import { IdleTimeout } from './idle-timeout.js'

/** Who the two ends are, for people and for http. */
export interface SocketIdentity {
  /** The peer's name, when it was found by one. */
  readonly name?: string | undefined
  /** The port within the name. */
  readonly port?: string | undefined
  /** What this end is called: at a server the name, at a client `vchan://DOMID` of its own domain. */
  readonly localAddress?: string | undefined
  /** The port within the local name; a word, where TCP has a number. */
  readonly localPort?: string | undefined
  /** What the other end is called: the name that was connected to, or `vchan://DOMID`. */
  readonly remoteAddress?: string | undefined
  /** The port within the remote name. */
  readonly remotePort?: string | undefined
}

/** As net.Socket's: `readOnly` after end(), `writeOnly` after the peer's. */
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
  readonly #idle = new IdleTimeout(this)
  #held = true

  constructor(options: DuplexOptions, identity: SocketIdentity) {
    super(options)
    this.#identity = identity
  }

  /**
   * The channel below, undefined while connecting. For looking: bytes read or written there are missing from this
   * stream.
   */
  get channel(): VchanChannel | undefined {
    return this.channelBelow
  }

  /** True until `connect`, or until the socket was destroyed instead. */
  get connecting(): boolean {
    return this.channelBelow === undefined && !this.destroyed
  }

  /** True until there is a channel, as in node:net. */
  get pending(): boolean {
    return this.channelBelow === undefined
  }

  /** Which directions are open, in net.Socket's words. */
  get readyState(): SocketReadyState {
    if (this.connecting) return 'opening'
    if (this.readable && this.writable) return 'open'
    if (this.readable) return 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** Bytes that have come out of the ring, read by this program or still buffered in the stream. */
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

  /** The channel's counters, in a new object; all 0 while connecting. */
  get counters(): ChannelCounters {
    return this.channelBelow?.counters ?? NO_COUNTERS
  }

  /** Whether the peer tells the end of its direction from its death; if not, `end()` ends both directions. */
  get halfCloseSupported(): boolean {
    return this.channelBelow?.halfCloseSupported ?? false
  }

  /**
   * At a client what it connected to, at a server `vchan://DOMID` of the client's domain: that number is the
   * hypervisor's word.
   */
  get remoteAddress(): string | undefined {
    const { remoteAddress, name } = this.#identity
    return remoteAddress ?? name ?? (this.channelBelow && `vchan://${this.channelBelow.peer}`)
  }

  /** `vchan`, where net.Socket has `IPv4` or `IPv6`. */
  get remoteFamily(): string {
    return 'vchan'
  }

  /** The port within the name that was asked for; undefined where none was. */
  get remotePort(): string | undefined {
    return this.#identity.remotePort ?? this.#identity.port
  }

  /** At a client `vchan://DOMID` of its own domain, at a server the name that was connected to. */
  get localAddress(): string | undefined {
    return this.#identity.localAddress
  }

  /**
   * At a server the port within its name that the client asked for; undefined where it asked for none, and at a client.
   */
  get localPort(): string | undefined {
    return this.#identity.localPort
  }

  /** This end, as node:net puts it; empty while connecting. */
  address(): {
    /** {@link localAddress}, where there is one. */
    address?: string
    /** `vchan`. */
    family?: string
    /** {@link localPort}, where there is one. */
    port?: string
  } {
    if (this.pending) return {}
    const { localAddress, localPort } = this.#identity
    return {
      family: this.remoteFamily,
      ...(localAddress === undefined ? {} : { address: localAddress }),
      ...(localPort === undefined ? {} : { port: localPort }),
    }
  }

  /** For whoever learns only later who is at the other end. @internal */
  identify(identity: SocketIdentity): void {
    this.#identity = { ...this.#identity, ...identity }
  }

  /** Emit `timeout` after `timeoutMs` without traffic; 0 turns it off. The socket is not closed by it. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    this.#idle.set(timeoutMs, callback)
    return this
  }

  /** Milliseconds set by {@link setTimeout}; 0 when it is off. */
  get timeout(): number {
    return this.#idle.timeoutMs
  }

  /** Nothing to do: writes of a tick are told at once when it ends. */
  setNoDelay(_noDelay?: boolean): this {
    return this
  }

  /** Nothing to do: a peer's death is noticed without probes. */
  setKeepAlive(_enable?: boolean, _initialDelayMs?: number): this {
    return this
  }

  /** Keep the process alive while the connection is open; it does at first. */
  ref(): this {
    this.#held = true
    this.channelBelow?.ref()
    return this
  }

  /** Let the process end although the connection is open. */
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
    this.#idle.refresh()
  }

  protected stopTimer(): void {
    this.#idle.stop()
  }
}
