// A client in the flat layout: claims a name of its own, writes the request under the server's, and becomes the vchan client
// of the keys that appear. There is no answer but the keys, so a server that takes nobody costs the whole time limit.
import { randomBytes } from 'node:crypto'
import { flatClientPath, flatRequestPath, namePath, parseOwner, vchanPath } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import { type ConduitContext, ownDomid } from './context.js'
import { untilAborted } from './deadline.js'
import { connectDirectNow, type DirectRequest } from './direct.js'
import type { FlatNames } from './flat-names.js'
import { refuseOwn } from './loopback.js'
import { nameAppears } from './name-appearance.js'
import { throughOutages } from './outages.js'
import { removeIfEmpty } from './vchan-keys.js'

export interface FlatRequest extends DirectRequest {
  readonly name: string
  /** Undefined: one that nobody else uses. */
  readonly port: string | undefined
  /** The name that this client claims; one made up by default. */
  readonly localName: string | undefined
}

export class FlatConnector {
  readonly #context: ConduitContext
  readonly #names: FlatNames
  readonly #ownName = `client-${randomBytes(4).toString('hex')}`
  readonly #turns = new Map<string, Promise<void>>()

  constructor(context: ConduitContext, names: FlatNames) {
    this.#context = context
    this.#names = names
  }

  /** @throws ConduitError EACCES, EADDRINUSE, ENOENT when nobody has the name, ECONNRESET, …; the signal's reason. */
  connect(request: FlatRequest, signal: AbortSignal): Promise<VchanChannel> {
    const me = request.localName ?? this.#ownName
    const port = request.port ?? randomBytes(6).toString('hex')
    return throughOutages(this.#context, signal, async (limit, afterOutage) => {
      request.onStep('/conduit to take a name')
      const release = await this.#names.claim(me)
      try {
        const server = await this.#holder(request, request.wait || afterOutage, limit)
        return await this.#inTurn(`${server}/${port}`, limit, () => this.#ask({ ...request, port }, me, server, limit))
      } finally {
        this.#context.background.run(release())
      }
    })
  }

  async #holder({ name, onStep }: FlatRequest, wait: boolean, signal: AbortSignal): Promise<Domid> {
    for (;;) {
      const text = await this.#context.store.readText(namePath(name)).catch(nothing)
      const server = text === undefined ? undefined : parseOwner(text)
      if (server !== undefined) {
        refuseOwn(this.#context, server)
        return server
      }
      if (!wait) throw nobody(name)
      onStep('somebody to claim the name')
      await nameAppears(this.#context, name, signal)
    }
  }

  /** Connects to one port share the node of the request and the path of the keys. */
  async #inTurn<T>(key: string, signal: AbortSignal, connect: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve()
    const result = before.then(() => {
      signal.throwIfAborted()
      return connect()
    })
    const settled: Promise<void> = result.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(key, settled)
    void settled.then(() => this.#turns.get(key) === settled && this.#turns.delete(key))
    return untilAborted(result, signal)
  }

  async #ask(
    request: FlatRequest & { readonly port: string },
    me: string,
    server: Domid,
    signal: AbortSignal,
  ): Promise<VchanChannel> {
    const { name, port } = request
    request.onStep('an earlier connection to the port to end')
    await this.#keysAreGone(`${vchanPath(server, ownDomid(this.#context))}/${port}`, signal)
    const entry = flatRequestPath(name, me, port)
    await this.#writeRequest(entry, request, server)
    try {
      return await connectDirectNow(
        this.#context,
        { kind: 'direct', domid: server, port },
        { ...request, wait: true },
        signal,
      )
    } catch (error) {
      this.#context.background.run(this.#withdraw(entry, flatClientPath(name, me)))
      throw error
    }
  }

  /** In a transaction: a write under a name that has just gone would bring it back, without an owner. */
  async #writeRequest(entry: string, { name, port }: FlatRequest, server: Domid): Promise<void> {
    const { store } = this.#context
    await store.transaction(async (transaction) => {
      const text = await store.readText(namePath(name), { transaction }).catch(nothing)
      if (text === undefined || parseOwner(text) !== server) throw nobody(name)
      await store.write(entry, String(port), { transaction }).catch((error: unknown) => {
        throw isConduitError(error, 'EACCES') ? guarded(name) : error
      })
    })
  }

  /** A server that keeps its keys for the life of a connection, as ocaml-vchan does, takes one at a time on a port. */
  async #keysAreGone(path: string, signal: AbortSignal): Promise<void> {
    const { store, background } = this.#context
    // The key and not its directory: that is closed to us, and then its removal with all above it would go unheard.
    const key = `${path}/ring-ref`
    const there = async () => (await store.read(key).catch(nothing)) !== undefined
    if (!(await there())) return
    let gone: () => void = () => undefined
    let failed: (error: unknown) => void = () => undefined
    const ended = new Promise<void>((resolve, reject) => {
      gone = resolve
      failed = reject
    })
    const watch = await store.watch(key, () => void there().then((still) => still || gone(), failed))
    try {
      await untilAborted(ended, signal)
    } finally {
      background.run(watch.close())
    }
  }

  async #withdraw(entry: string, directory: string): Promise<void> {
    await this.#context.store.remove(entry)
    await removeIfEmpty(this.#context.store, directory)
  }
}

/** Not there, or closed to us, which both daemons say of what is missing under a closed directory. */
function nothing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT') && !isConduitError(error, 'EACCES')) throw error
}

const nobody = (name: string): ConduitError =>
  new ConduitError('ENOENT', `nobody has claimed the name ${JSON.stringify(name)}`, {
    endpoint: name,
    hint: 'start the server first, or wait for it (wait: true)',
  })

const guarded = (name: string): ConduitError =>
  new ConduitError('EACCES', `${JSON.stringify(name)} takes no requests of the flat layout`, {
    endpoint: name,
    hint: 'its server is registered with the registrar: connect without layout',
  })
