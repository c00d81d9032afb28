// A client's way to one name: its requests, so many at a time, and the channels that came of them. Connects to the same
// name share it; it goes some time after the last of them.
import { randomBytes } from 'node:crypto'
import { type ConnectRequest, formatConnect, vchanPath } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import { Slots } from '../xenstore/slots.js'
import { Admission, type Entrance } from './admission.js'
import type { Timer } from './clock.js'
import { type ConduitContext, ownDomid } from './context.js'
import { startDeadline, untilAborted } from './deadline.js'
import { ENTRIES_PER_CLIENT } from './name-directory.js'
import { openChannel } from './open-channel.js'
import { pause } from './outages.js'
import { breakOffWhenDrained, type OpenConnection } from './peer-loss.js'
import { EntryGone, PendingRequest } from './pending-request.js'

export interface RouteRequest extends ConnectRequest {
  /** The address as the caller gave it, for errors. */
  readonly endpoint: string
  readonly spinMicros: number | undefined
  /** What is being waited for, for the message of a timeout. */
  onStep(step: string): void
}

export interface RoutedChannel extends OpenConnection {
  readonly server: Domid
  readonly connectionId: string
  /** Call once when the channel is closed. */
  readonly done: () => void
}

/** How long to look for a name again for the sake of open channels alone. */
const REJOIN_TIMEOUT_MS = 30_000
const REJOIN_PAUSE_MS = 50
/** Requests given up whose late answers are cleared away. */
const GIVEN_UP = 256

export class Route {
  readonly name: string
  readonly #context: ConduitContext
  readonly #onIdle: () => void
  readonly #admission: Admission
  readonly #slots = new Slots(ENTRIES_PER_CLIENT)
  readonly #requests = new Map<string, PendingRequest>()
  readonly #givenUp = new Map<string, string>()
  readonly #open = new Set<OpenConnection>()
  readonly #closing = new AbortController()
  readonly #stopListening: () => void
  #users = 0
  #linger: Timer | undefined

  /** `onIdle` runs when the route has not been used for a while. */
  constructor(context: ConduitContext, name: string, onIdle: () => void) {
    this.#context = context
    this.name = name
    this.#onIdle = onIdle
    this.#admission = new Admission(context, name, {
      onEntry: (connectionId) => this.#onEntry(connectionId),
      onEntries: () => {
        for (const request of this.#requests.values()) request.look()
      },
      onRemoved: () => this.#onHolderGone(),
    })
    this.#stopListening = context.store.onReconnect(() => {
      if (this.#open.size > 0) context.background.run(this.#rejoin())
    })
  }

  /** @throws ConduitError ENOENT when nobody holds the name, ECONNREFUSED, ECONNRESET, …; the signal's reason. */
  async connect(request: RouteRequest, signal: AbortSignal): Promise<RoutedChannel> {
    this.#use()
    let routed: RoutedChannel | undefined
    try {
      const release = await this.#slots.acquire(signal)
      try {
        while (routed === undefined) {
          request.onStep('the registrar to answer')
          const entrance = await untilAborted(this.#admission.enter(), signal)
          request.onStep('the server to accept')
          routed = await this.#ask(entrance, request, signal)
        }
        return routed
      } finally {
        release()
      }
    } finally {
      if (routed === undefined) this.#unuse()
    }
  }

  /** Give up what the registrar granted. Channels that are open go on, unwatched. */
  async close(): Promise<void> {
    this.#linger?.cancel()
    this.#stopListening()
    this.#closing.abort()
    await this.#admission.close()
  }

  /** Undefined when the directory went away under the request: the name has another holder now, or none. */
  async #ask(entrance: Entrance, request: RouteRequest, signal: AbortSignal): Promise<RoutedChannel | undefined> {
    const { store, background } = this.#context
    const { server, directory } = entrance
    const connectionId = randomBytes(6).toString('hex')
    const entryPath = `${directory}/${connectionId}`
    const keysPath = `${vchanPath(server, ownDomid(this.#context))}/${connectionId}`
    const pending = new PendingRequest(store, { entryPath, keysPath, server, endpoint: request.endpoint })
    this.#requests.set(connectionId, pending)
    let channel: VchanChannel | undefined
    try {
      const written = store.write(entryPath, formatConnect(request)).then(() => pending.keys)
      const keys = await untilAborted(written, signal)
      request.onStep('the channel to be mapped')
      channel = await openChannel(this.#context, { server, keys, ...request }, signal)
    } catch (error) {
      if (!isGone(error)) throw error
      if (await this.#admission.stands(directory)) throw dropped(request.endpoint, server)
      return undefined
    } finally {
      this.#requests.delete(connectionId)
      if (channel === undefined) this.#giveUp(entryPath, connectionId)
      // Now, before the slot is free: one entry more than 64 at a time, and the registrar takes the directory away.
      background.run(store.remove(entryPath))
    }
    return this.#keep(channel, server, connectionId)
  }

  #keep(channel: VchanChannel, server: Domid, connectionId: string): RoutedChannel {
    const routed: RoutedChannel = {
      channel,
      server,
      connectionId,
      onPeerLost: (error) => channel.destroy(error),
      done: () => {
        if (this.#open.delete(routed)) this.#unuse()
      },
    }
    this.#open.add(routed)
    return routed
  }

  #onEntry(connectionId: string): void {
    this.#requests.get(connectionId)?.look()
    // A server that answers after we have gone makes the entry anew: nobody else will clear it away.
    const late = this.#givenUp.get(connectionId)
    if (late !== undefined) this.#context.background.run(this.#context.store.remove(late))
  }

  /** A name is given back only when its channels have ended, so an open one has lost its peer. */
  #onHolderGone(): void {
    const gone = new ConduitError('ECONNRESET', `the domain that held ${this.name} is gone`, { endpoint: this.name })
    for (const open of this.#open) breakOffWhenDrained(this.#context.clock, open, gone)
  }

  #giveUp(entryPath: string, connectionId: string): void {
    this.#givenUp.set(connectionId, entryPath)
    if (this.#givenUp.size <= GIVEN_UP) return
    for (const oldest of this.#givenUp.keys()) return void this.#givenUp.delete(oldest)
  }

  /** The store came back: be let in and watch again, for the sake of open channels. */
  async #rejoin(): Promise<void> {
    this.#use()
    const limit = startDeadline(this.#context.clock, {
      signal: this.#closing.signal,
      timeoutMs: REJOIN_TIMEOUT_MS,
      onTimeout: () => new ConduitError('ETIMEDOUT', `${this.name} did not come back`),
    })
    try {
      for (let pauseMs = REJOIN_PAUSE_MS; this.#open.size > 0; pauseMs *= 2) {
        const back = await untilAborted(this.#admission.enter(), limit.signal).catch(untilHeld)
        if (back !== undefined) return
        await pause(this.#context, pauseMs, limit.signal)
      }
    } finally {
      limit.clear()
      this.#unuse()
    }
  }

  #use(): void {
    this.#users++
    this.#linger?.cancel()
    this.#linger = undefined
  }

  #unuse(): void {
    if (--this.#users > 0 || this.#closing.signal.aborted) return
    this.#linger = this.#context.clock.after(this.#context.lingerMs, this.#onIdle)
    this.#linger.unref()
  }
}

function untilHeld(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}

/** The entry went unanswered, or could not be written because its directory has gone. */
const isGone = (error: unknown): boolean =>
  error instanceof EntryGone ||
  (isConduitError(error) && error.syscall === 'WRITE' && (error.code === 'EACCES' || error.code === 'ENOENT'))

const dropped = (endpoint: string, server: Domid): ConduitError =>
  new ConduitError('ECONNRESET', `${endpoint} dropped the request without an answer`, {
    endpoint,
    domid: server,
    hint: 'the server took too long for the handshake, or is shutting down: connect again',
  })
