// A server in the flat layout: claims the name, looks at what clients wrote under it, and serves each (client, port) as the
// vchan server of libxenvchan's rendezvous. A client is who its name's node says: anybody can write that, so nothing here
// proves who came. Only the node that is served is removed: ocaml-conduit's own server loses the second of two ports.
import {
  flatClientPath,
  flatRequestPath,
  isDirectPort,
  isFlatName,
  namePath,
  parseOwner,
} from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import { type ConduitContext, ownDomid } from './context.js'
import { type Deadline, startDeadline, untilAborted } from './deadline.js'
import { type DirectServer, serveDirect } from './direct.js'
import type { FlatNames, ReleaseName } from './flat-names.js'
import { throughOutages } from './outages.js'
import type { IncomingConnection, PortHandler } from './port-handler.js'
import { removeIfEmpty } from './vchan-keys.js'

/** Handshakes under way; more requests wait in the store, where anybody can write any number. */
const HANDSHAKES = 64

export interface FlatListenerOptions {
  readonly name: string
  readonly handler: PortHandler
  /** Whether a port is this listener's. */
  readonly takes: (port: string) => boolean
}

export class FlatListener {
  readonly #context: ConduitContext
  readonly #names: FlatNames
  readonly #options: FlatListenerOptions
  readonly #serving = new Map<string, Deadline>()
  readonly #stopListening: () => void
  #release: ReleaseName = async () => undefined
  #watch: XenstoreWatch | undefined
  #looking: Promise<void> = Promise.resolve()
  #lookingNow = false
  #lookAgain = false
  #stopped = false
  #lastId = 0

  private constructor(context: ConduitContext, names: FlatNames, options: FlatListenerOptions) {
    this.#context = context
    this.#names = names
    this.#options = options
    this.#stopListening = context.store.onReconnect(() => this.look())
  }

  /** @throws ConduitError EACCES where /conduit is closed, EADDRINUSE; the signal's reason. */
  static async open(
    context: ConduitContext,
    names: FlatNames,
    options: FlatListenerOptions,
    signal: AbortSignal,
  ): Promise<FlatListener> {
    const listener = new FlatListener(context, names, options)
    try {
      listener.#release = await throughOutages(context, signal, () => names.claim(options.name))
      listener.#watch = await throughOutages(context, signal, () =>
        context.store.watch(namePath(options.name), () => listener.look()),
      )
      return listener
    } catch (error) {
      listener.stop()
      await listener.release()
      throw error
    }
  }

  /** Serve nobody else; who has not come yet does not come in. */
  stop(): void {
    this.#stopped = true
    this.#stopListening()
    const closed = new ConduitError('ECONNREFUSED', 'the server has closed')
    for (const deadline of this.#serving.values()) deadline.abort(closed)
  }

  /** Give the name back, with the requests under it. */
  async release(): Promise<void> {
    await Promise.allSettled([this.#watch?.close(), this.#looking])
    await this.#release().catch(() => undefined)
  }

  /** Something happened under the name. Single-flight. */
  look(): void {
    this.#lookAgain = true
    if (this.#lookingNow) return
    // A failed look is made good by the next event, or when the store is back.
    this.#looking = this.#lookUntilSettled().catch(() => undefined)
    this.#context.background.run(this.#looking)
  }

  async #lookUntilSettled(): Promise<void> {
    this.#lookingNow = true
    try {
      while (this.#lookAgain && !this.#stopped) {
        this.#lookAgain = false
        if (await this.#holdsName()) await this.#lookOnce()
      }
    } finally {
      // Nothing is awaited between the last look at `lookAgain` and this, so no event is forgotten.
      this.#lookingNow = false
    }
  }

  async #lookOnce(): Promise<void> {
    const { name } = this.#options
    for (const client of (await this.#children(namePath(name))).filter(isFlatName)) {
      for (const port of await this.#children(flatClientPath(name, client))) await this.#consider(client, port)
    }
  }

  /** A name that was removed is claimed again; one that somebody else has written is lost: the last writer wins. */
  async #holdsName(): Promise<boolean> {
    const { name, handler } = this.#options
    const text = await this.#context.store.readText(namePath(name)).catch(nothing)
    if (text !== undefined && parseOwner(text) === ownDomid(this.#context)) return true
    try {
      if (text !== undefined) throw overwritten(name, text)
      await this.#names.write(name)
      return true
    } catch (error) {
      if (!isConduitError(error, 'EADDRINUSE') && !isConduitError(error, 'EACCES')) throw error
      this.stop()
      handler.onNameLost(error)
      return false
    }
  }

  async #children(path: string): Promise<string[]> {
    return (await this.#context.store.directory(path).catch(nothing)) ?? []
  }

  async #consider(client: string, port: string): Promise<void> {
    const key = `${client}/${port}`
    if (this.#stopped || !this.#options.takes(port)) return
    if (this.#serving.has(key) || this.#serving.size >= HANDSHAKES) return
    const peer = await this.#take(client, port)
    if (peer === undefined || this.#stopped) return
    const connection: IncomingConnection = {
      name: this.#options.name,
      port,
      client: peer,
      connectionId: `${key}/${++this.#lastId}`,
      mode: 'stream',
    }
    // A code cannot be told: the layout has no answer. The client waits for keys until it gives up.
    if (this.#options.handler.admit(connection) !== undefined) return
    const deadline = startDeadline(this.#context.clock, {
      timeoutMs: this.#context.handshakeTimeoutMs,
      onTimeout: () => new ConduitError('ETIMEDOUT', `domain ${peer} asked for a connection and never came`),
    })
    this.#serving.set(key, deadline)
    const served = this.#serve(connection, port, deadline).finally(() => {
      deadline.clear()
      this.#serving.delete(key)
      // The same port may have been asked for again, and a slot is free.
      this.look()
    })
    this.#context.background.run(served)
  }

  /** Whose request it is, once its node is ours alone to serve. Undefined: it is gone, cannot be, or nobody's. */
  async #take(client: string, port: string): Promise<Domid | undefined> {
    const { store, background } = this.#context
    const { name } = this.#options
    const text = await store.readText(namePath(client)).catch(nothing)
    const removed = await store.remove(flatRequestPath(name, client, port)).then(
      () => true,
      (error: unknown) => nothing(error) ?? false,
    )
    background.run(removeIfEmpty(store, flatClientPath(name, client)))
    if (!removed || text === undefined || !isDirectPort(port)) return undefined
    return parseOwner(text)
  }

  async #serve(connection: IncomingConnection, port: string, deadline: Deadline): Promise<void> {
    const { handler } = this.#options
    let service: DirectServer | undefined
    try {
      const ringBytes = handler.ringBytes ?? this.#context.ringBytes
      const rings = { ringBytes, spinMicros: handler.spinMicros }
      const address = { kind: 'direct', domid: connection.client, port } as const
      service = await serveDirect(this.#context, address, rings, deadline.signal)
      const channel: VchanChannel = await untilAborted(service.client, deadline.signal)
      const open = { channel, onPeerLost: (error: ConduitError) => channel.destroy(error) }
      handler.onConnection(open, connection, () => undefined)
    } catch (error) {
      await service?.close()
      handler.onAbandoned(connection, error)
    }
  }
}

/** Gone, or closed to us by whoever wrote it. */
function nothing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT') && !isConduitError(error, 'EACCES')) throw error
}

const overwritten = (name: string, text: string): ConduitError =>
  new ConduitError('EADDRINUSE', `${namePath(name)} holds ${JSON.stringify(text.slice(0, 32))} now`, {
    endpoint: name,
    hint: 'another domain claimed the name: in the flat layout the last writer wins',
  })
