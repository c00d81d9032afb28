// What a server is to those who bring it clients: the listener of its name, in either layout, or the one service of
// vchan://DOMID/PORT. Admits, counts and welcomes connections; emits nothing itself.
import type { Address, ConduitLayout, ConduitMode } from '../../protocol/conduit.js'
import { type ConduitError, type ConduitErrorCode, isConduitError } from '../errors.js'
import type { ConduitContext } from './context.js'
import { serveDirect } from './direct.js'
import type { FlatLayout } from './flat-layout.js'
import type { ListenerTable, ListenHandle } from './listener-table.js'
import type { OpenConnection } from './peer-loss.js'
import type { IncomingConnection, PortHandler } from './port-handler.js'
import type { ServerConnections } from './server-connections.js'
import type { DroppedConnection, ServerOptions } from './server-options.js'

/** Where names are listened on, by layout. */
export interface Listeners {
  readonly guarded: ListenerTable
  readonly flat: Pick<FlatLayout, 'listen'>
}

export interface ServerPortOptions {
  readonly context: ConduitContext
  readonly connections: ServerConnections
  readonly mode: ConduitMode
  readonly layout: ConduitLayout
  readonly rings: Pick<ServerOptions, 'ringBytes' | 'spinMicros'>
  /** Whether one connection more is too many. */
  isFull(): boolean
  onDrop(dropped: DroppedConnection): void
  onNameLost(error: ConduitError): void
}

export class ServerPort implements PortHandler {
  readonly mode: ConduitMode
  readonly ringBytes: number | undefined
  readonly spinMicros: number | undefined
  readonly #options: ServerPortOptions

  constructor(options: ServerPortOptions) {
    this.#options = options
    this.mode = options.mode
    this.ringBytes = options.rings.ringBytes
    this.spinMicros = options.rings.spinMicros
  }

  /** @throws ConduitError EADDRINUSE, EACCES, XENSTORE_QUOTA, GRANT_LIMIT; the signal's reason. */
  listen(target: Address, listeners: Listeners, signal: AbortSignal): Promise<ListenHandle> {
    if (target.kind === 'direct') return this.#serveDirect(target, signal)
    return listeners[this.#options.layout].listen(target.name, target.port, this, signal)
  }

  admit({ name, port, client, connectionId }: IncomingConnection): ConduitErrorCode | undefined {
    const { connections, isFull, onDrop } = this.#options
    if (isFull()) {
      onDrop({ name, port, domid: client })
      return 'ECONNREFUSED'
    }
    connections.beginHandshake(`${client}/${connectionId}`)
    return undefined
  }

  onConnection(open: OpenConnection, connection: IncomingConnection, done: () => void): void {
    const { name, port, client, connectionId } = connection
    const { context, connections, layout } = this.#options
    const flow = { state: 'established', client, name, port } as const
    // In the flat layout nobody made this domain a table to write in, and no registrar watches over its clients.
    const unlist = layout === 'flat' ? context.domains.keep(client, open) : context.flows.add(connectionId, flow)
    const identity = { name, port, remoteAddress: `vchan://${client}`, localAddress: name, localPort: port }
    connections.welcome(open, identity, () => {
      unlist()
      done()
    })
    connections.endHandshake(`${client}/${connectionId}`)
  }

  onAbandoned({ client, connectionId }: IncomingConnection): void {
    this.#options.connections.endHandshake(`${client}/${connectionId}`)
  }

  onNameLost(error: ConduitError): void {
    this.#options.onNameLost(error)
  }

  async #serveDirect(target: Address & { kind: 'direct' }, signal: AbortSignal): Promise<ListenHandle> {
    const { context, connections } = this.#options
    const rings = { ringBytes: this.ringBytes ?? context.ringBytes, spinMicros: this.spinMicros }
    const service = await serveDirect(context, target, rings, signal)
    service.client.then(
      (channel) => {
        const identity = { remoteAddress: `vchan://${target.domid}`, remotePort: target.port, localPort: target.port }
        const open: OpenConnection = { channel, onPeerLost: (error) => channel.destroy(error) }
        connections.welcome(open, identity, context.domains.keep(channel.peer, open))
      },
      // Closed before a client came, or lost to another while the store was away.
      (error: unknown) => isConduitError(error, 'EADDRINUSE') && this.onNameLost(error),
    )
    return { stop: () => undefined, release: () => service.close() }
  }
}
