// What a listener asks of the server on one of its ports: whom it lets in, with which rings, and where connections go.
import type { ConduitMode } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import type { ConduitError, ConduitErrorCode } from '../errors.js'
import type { OpenConnection } from './peer-loss.js'

/** Who came, and what for. */
export interface IncomingConnection {
  readonly name: string
  readonly port: string | undefined
  readonly client: Domid
  readonly connectionId: string
  readonly mode: ConduitMode
}

/** What a server does with the requests for its port. */
export interface PortHandler {
  readonly mode: ConduitMode
  readonly ringBytes: number | undefined
  readonly spinMicros: number | undefined
  /** A code refuses the connection before anything is allocated for it. */
  admit(connection: IncomingConnection): ConduitErrorCode | undefined
  /** The client is there. Call `done` once when the channel is closed. Must not throw. */
  onConnection(open: OpenConnection, connection: IncomingConnection, done: () => void): void
  /** An admitted connection never came to be. */
  onAbandoned(connection: IncomingConnection, error: unknown): void
  onNameLost(error: ConduitError): void
}
