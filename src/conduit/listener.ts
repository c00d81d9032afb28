// A name's server side in one process: the ports it serves and the clients that came to it. What a client asks for and
// what becomes of it is listener-client.ts; sockets are made above.
import type { Domid } from '../../protocol/xen.js'
import { ConduitError } from '../errors.js'
import type { ConduitContext } from './context.js'
import { ListenerClient } from './listener-client.js'
import { NameRegistration } from './name-registration.js'
import type { PortHandler } from './port-handler.js'

export class Listener {
  readonly name: string
  readonly #context: ConduitContext
  readonly #ports = new Map<string | undefined, PortHandler>()
  readonly #clients = new Map<Domid, ListenerClient>()
  #registration: NameRegistration | undefined
  /** A port has been added. Until then nobody is refused: the registrar may be faster than whoever listens. */
  #served = false
  #missed = false

  private constructor(context: ConduitContext, name: string) {
    this.#context = context
    this.name = name
  }

  /** @throws ConduitError EADDRINUSE, EACCES, XENSTORE_QUOTA; the signal's reason. */
  static async open(context: ConduitContext, name: string, signal: AbortSignal): Promise<Listener> {
    const listener = new Listener(context, name)
    listener.#registration = await NameRegistration.open(
      context,
      name,
      {
        onEntry: (client, connectionId) => listener.#onEntry(client, connectionId),
        onClient: (client) => context.background.run(listener.#client(client).onDirectory()),
        onStoreLost: () => {
          for (const client of listener.#clients.values()) client.onStoreLost()
        },
        onNameLost: (error) => {
          for (const handler of new Set(listener.#ports.values())) handler.onNameLost(error)
        },
      },
      signal,
    )
    return listener
  }

  /** No port: every one that no other handler takes. */
  addPort(port: string | undefined, handler: PortHandler): void {
    if (this.#ports.has(port)) {
      const address = port === undefined ? this.name : `${this.name}:${port}`
      throw new ConduitError('EADDRINUSE', `this process listens on ${JSON.stringify(address)} already`, {
        endpoint: address,
        hint: 'close the other server first, or listen on another port of the name',
      })
    }
    this.#ports.set(port, handler)
    if (this.#served) return
    this.#served = true
    if (this.#missed && this.#registration !== undefined) this.#context.background.run(this.#registration.scan())
  }

  /** Refuse the port from now on, also to those half-way in; clients that have mapped their channel are in. */
  removePort(port: string | undefined, handler: PortHandler): void {
    if (this.#ports.get(port) !== handler) return
    this.#ports.delete(port)
    for (const client of this.#clients.values()) client.stopHandshakes(handler)
  }

  /** Give the name back. */
  async close(): Promise<void> {
    for (const [port, handler] of [...this.#ports]) this.removePort(port, handler)
    await this.#registration?.close()
    for (const client of this.#clients.values()) client.removeKeysDirectory()
    this.#clients.clear()
  }

  #onEntry(client: Domid, connectionId: string): void {
    if (this.#served) this.#client(client).onEntry(connectionId)
    else this.#missed = true
  }

  #client(domid: Domid): ListenerClient {
    const known = this.#clients.get(domid)
    if (known !== undefined) return known
    const client = new ListenerClient(this.#context, {
      name: this.name,
      client: domid,
      handlerOf: (port) => this.#ports.get(port) ?? this.#ports.get(undefined),
      onIdle: () => {
        if (this.#clients.get(domid) !== client) return
        this.#clients.delete(domid)
        client.removeKeysDirectory()
      },
    })
    this.#clients.set(domid, client)
    return client
  }
}
