// From an address to a live channel, within a time limit and traced. Makes no sockets.
import { type Address, formatAddress, type NameAddress } from '../../protocol/conduit.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import type { SocketIdentity } from '../vchan/net-face.js'
import { CONNECT_TIMEOUT_MS, type ConnectOptions } from './connect-options.js'
import type { Connector, NameRequest } from './connector.js'
import { type ConduitContext, ownDomid } from './context.js'
import { type Deadline, startDeadline } from './deadline.js'
import { connectDirect } from './direct.js'
import type { FlatConnector } from './flat-connector.js'
import { HeldHere, ownAddress } from './loopback.js'
import type { OpenConnection } from './peer-loss.js'
import type { RoutedChannel } from './route.js'
import { Summoner } from './summoner.js'
import { type ConnectTrace, traceConnect } from './trace.js'

/** A channel that is not a socket yet. */
export interface DialedChannel extends OpenConnection {
  readonly identity: SocketIdentity
  /** Call once when the channel is closed. */
  readonly done: () => void
}

export class Dialer {
  readonly #context: ConduitContext
  readonly #connector: Connector
  readonly #flat: FlatConnector
  readonly #summoner: Summoner
  readonly #running = new Set<Deadline>()

  constructor(context: ConduitContext, connector: Connector, flat: FlatConnector) {
    this.#context = context
    this.#connector = connector
    this.#flat = flat
    this.#summoner = new Summoner(context, (jitsud, options) => {
      const trace = { address: formatAddress(jitsud), step: '' }
      return this.#dialHereOrThere(jitsud, options, trace, options.signal)
    })
  }

  /** `options` have passed {@link checkConnectOptions}. @throws ConduitError; the signal's reason. */
  async dial(address: Address, options: ConnectOptions): Promise<DialedChannel> {
    const trace: ConnectTrace = { address: formatAddress(address), step: '' }
    return traceConnect(trace, () => this.#dialWithin(address, options, trace))
  }

  /** Make everything under way reject with `reason`. */
  abort(reason: ConduitError): void {
    for (const limit of this.#running) limit.abort(reason)
  }

  async #dialWithin(address: Address, options: ConnectOptions, trace: ConnectTrace): Promise<DialedChannel> {
    const { store, clock } = this.#context
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS
    const limit = startDeadline(clock, {
      signal: options.signal,
      timeoutMs,
      onTimeout: () =>
        new ConduitError('ETIMEDOUT', `connect to ${trace.address}: waited ${timeoutMs} ms for ${trace.step}`, {
          endpoint: trace.address,
          hint: 'is the other side stopped or overloaded? timeoutMs (conduit-cat -w) sets the limit',
        }),
    })
    store.ref()
    this.#running.add(limit)
    try {
      return await this.#dialHereOrThere(address, options, trace, limit.signal)
    } finally {
      store.unref()
      this.#running.delete(limit)
      limit.clear()
    }
  }

  /** Within this domain where the substrate cannot: an address of its own at once, a name when it turns out to be. */
  async #dialHereOrThere(
    address: Address,
    options: ConnectOptions,
    trace: ConnectTrace,
    signal: AbortSignal,
  ): Promise<DialedChannel> {
    const { loopback } = this.#context
    const own = ownAddress(this.#context, address)
    if (own === undefined) {
      try {
        return await this.#dialNow(address, options, trace, signal)
      } catch (error) {
        if (!(error instanceof HeldHere)) throw error
      }
    }
    trace.step = 'a server of this domain'
    return loopback!.dial(own ?? address, { ...options, signal })
  }

  async #dialNow(
    address: Address,
    options: ConnectOptions,
    trace: ConnectTrace,
    signal: AbortSignal,
  ): Promise<DialedChannel> {
    const request = {
      spinMicros: options.spinMicros,
      wait: options.wait ?? false,
      onStep: (step: string) => {
        trace.step = step
      },
    }
    const ends = { remoteAddress: remoteOf(address), remotePort: address.port }
    if (address.kind === 'direct') {
      return this.#alone(await connectDirect(this.#context, address, request, signal), ends)
    }
    const { name, port } = address
    if (options.layout === 'flat') {
      const { localName } = options
      const channel = await this.#flat.connect({ ...request, name, port, localName }, signal)
      return this.#alone(channel, { ...ends, name, port })
    }
    const mode = options.mode ?? 'stream'
    const wanted = { ...request, port, mode, ringBytes: options.ringBytes, endpoint: trace.address }
    const routed = await this.#connectOrSummon(address, wanted, signal)
    return Object.assign(routed, { identity: this.#identify({ ...ends, name, port }) })
  }

  /** A name that nobody holds may be that of a service which jitsud boots. */
  async #connectOrSummon(address: NameAddress, wanted: NameRequest, signal: AbortSignal): Promise<RoutedChannel> {
    try {
      return await this.#connector.connect(address, { ...wanted, wait: false }, signal)
    } catch (error) {
      if (!isConduitError(error, 'ENOENT')) throw error
      wanted.onStep('jitsud to boot the service')
      const ready = await this.#summoner.summon(address.name, signal)
      if (!ready && !wanted.wait) throw error
    }
    return this.#connector.connect(address, wanted, signal)
  }

  /** A channel that no registrar watches over. */
  #alone(channel: VchanChannel, identity: SocketIdentity): DialedChannel {
    const onPeerLost = (error: ConduitError) => channel.destroy(error)
    const dialed: DialedChannel = { channel, onPeerLost, done: () => stop(), identity: this.#identify(identity) }
    const stop = this.#context.domains.keep(channel.peer, dialed)
    return dialed
  }

  #identify(identity: SocketIdentity): SocketIdentity {
    return { ...identity, localAddress: `vchan://${ownDomid(this.#context)}` }
  }
}

export const remoteOf = (address: Address): string =>
  address.kind === 'name' ? address.name : `vchan://${address.domid}`
