// Keeps one channel to the store open: connects, notices the loss, tries again with growing, jittered pauses, and has
// the watches registered anew before anybody may use the new connection.
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeStrings } from '../../protocol/xenstore-wire.js'
import { ConduitError } from '../errors.js'
import { backoffMs } from './backoff.js'
import { disconnected, RequestChannel } from './request-channel.js'
import type { OpenXenstoreTransport, XenstoreTransport } from './transport.js'

/** Waits; rejects when `signal` is aborted. `ref` says whether to keep the event loop alive meanwhile. */
export type Delay = (delayMs: number, options: { signal?: AbortSignal | undefined; ref: boolean }) => Promise<unknown>

export interface LinkOptions {
  readonly reconnect: boolean
  readonly delay: Delay
  /** 0 ≤ random() < 1 */
  readonly random: () => number
}

export interface LinkEvents {
  onWatchEvent(path: string, token: string): void
  /** Do what a new connection needs before others use it. A rejection makes the link try another connection. */
  restore(channel: RequestChannel): Promise<void>
  onLost(error: ConduitError): void
  onReconnect(): void
}

const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 2000

export const defaultDelay: Delay = (delayMs, { signal, ref }) =>
  sleep(delayMs, undefined, signal === undefined ? { ref } : { signal, ref })

export class StoreLink {
  readonly #connect: OpenXenstoreTransport
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #closing = new AbortController()
  #channel: RequestChannel | undefined
  #refs = 0

  private constructor(connect: OpenXenstoreTransport, options: LinkOptions, events: LinkEvents) {
    this.#connect = connect
    this.#options = options
    this.#events = events
  }

  /** Rejects with what `connect` rejects with: the first connection is not tried again. */
  static async open(connect: OpenXenstoreTransport, options: LinkOptions, events: LinkEvents): Promise<StoreLink> {
    const link = new StoreLink(connect, options, events)
    link.#channel = link.#attach(await connect())
    return link
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** @throws ConduitError XENSTORE_DISCONNECTED while there is no connection */
  get channel(): RequestChannel {
    if (this.#channel !== undefined) return this.#channel
    if (!this.closed) throw disconnected()
    throw new ConduitError('XENSTORE_DISCONNECTED', 'this xenstore client is closed')
  }

  /** A channel that is still the current one. */
  isCurrent(channel: RequestChannel): boolean {
    return this.#channel === channel
  }

  ref(): void {
    this.#refs++
    if (this.#refs === 1) this.#channel?.transport.ref()
  }

  unref(): void {
    if (this.#refs === 0) return
    this.#refs--
    if (this.#refs === 0 && this.#channel?.busy === false) this.#channel.transport.unref()
  }

  close(): void {
    this.#closing.abort(new ConduitError('XENSTORE_DISCONNECTED', 'this xenstore client is closed'))
    const channel = this.#channel
    this.#channel = undefined
    channel?.close()
  }

  #attach(transport: XenstoreTransport): RequestChannel {
    const channel: RequestChannel = new RequestChannel(transport, {
      onWatchEvent: (path, token) => this.#events.onWatchEvent(path, token),
      onBusy: (busy) => {
        if (busy) transport.ref()
        else if (this.#refs === 0) transport.unref()
      },
      onClose: (error) => this.#lost(channel, error),
    })
    if (this.#refs > 0) transport.ref()
    return channel
  }

  #lost(channel: RequestChannel, error: ConduitError): void {
    if (this.#channel !== channel) return
    this.#channel = undefined
    this.#events.onLost(error)
    if (this.#options.reconnect && !this.closed) void this.#reconnect()
  }

  async #reconnect(): Promise<void> {
    const { delay, random } = this.#options
    const { signal } = this.#closing
    for (let attempt = 0; !this.closed; attempt++) {
      const pauseMs = backoffMs(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, random)
      try {
        await delay(pauseMs, { signal, ref: this.#refs > 0 })
        if (await this.#tryConnection()) return
      } catch {
        // Refused, or broken off while the watches were registered: the next attempt follows, unless closed.
      }
    }
  }

  async #tryConnection(): Promise<boolean> {
    const transport = await this.#connect()
    if (this.closed) {
      transport.close()
      return false
    }
    const channel = this.#attach(transport)
    try {
      await this.#events.restore(channel)
      // Something that accepts connections and drops them must not count as a store: the pauses would never grow.
      await channel.request({ type: 'GET_DOMAIN_PATH', payload: encodeStrings(['0']) })
    } catch (error) {
      channel.close()
      throw error
    }
    if (this.closed || channel.closed) {
      channel.close()
      return false
    }
    this.#channel = channel
    this.#events.onReconnect()
    return true
  }
}
