// What a server is told and what it tells: types only.
import type { ConduitLayout, ConduitMode } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import type { ConduitMessageSocketOptions } from '../vchan/message-socket.js'
import type { ConduitSocketOptions } from '../vchan/socket.js'
import type { Conduit } from './conduit.js'
import type { ServerSocket } from './server-connections.js'

/** What createServer() takes: the mode, limits, and how the sockets of its connections behave. */
export interface ServerOptions
  extends Pick<ConduitSocketOptions, 'allowHalfOpen' | 'highWaterMark' | 'pauseOnConnect'> {
  /** What clients must ask for: a stream of bytes, by default, or messages. */
  readonly mode?: ConduitMode | undefined
  /** Bytes of each ring where a client asks for none, 1,024 to 1,048,576. */
  readonly ringBytes?: number | undefined
  /** Microseconds to spin before sleeping: 0 never, undefined as experience tells. */
  readonly spinMicros?: number | undefined
  /** Connections at a time; more are refused, with a `drop` event. */
  readonly maxConnections?: number | undefined
  /**
   * `'flat'`: claim the name and serve clients as ocaml-conduit does. It trusts every domain: whoever comes is who it says, the
   * last who claims a name has it, and /conduit must be world-writable (`xenstore-chmod /conduit b0`; EACCES otherwise).
   * Streams only; a connection over `maxConnections` is dropped without the client being told.
   */
  readonly layout?: ConduitLayout | undefined
  /** In message mode: the largest message. */
  readonly maxMessageBytes?: ConduitMessageSocketOptions['maxMessageBytes']
}

/** Of a server whose clients speak a stream of bytes. */
export interface StreamServerOptions extends ServerOptions {
  readonly mode?: 'stream' | undefined
}

/** Of a server whose clients speak messages. */
export interface MessageServerOptions extends ServerOptions {
  readonly mode: 'message'
}

/** What listen() takes beside the address. */
export interface ListenOptions {
  /** Stops trying to listen; closes the server once it does. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds to wait for the name; 10,000 by default, 0 for no limit. */
  readonly timeoutMs?: number | undefined
}

/** What a server listens on. */
export interface ServerAddress {
  /** As connect() takes it. */
  readonly address: string
  /** The name, in lower case; undefined on `vchan://DOMID/PORT`. */
  readonly name: string | undefined
  /** The port within the name; undefined where the server takes every port of it. */
  readonly port: string | undefined
  /** The server's own domain. */
  readonly domid: Domid
}

/** A connection that was refused because there are too many. */
export interface DroppedConnection {
  /** The name that the client asked for. */
  readonly name: string
  /** The port within the name; undefined where the client asked for none. */
  readonly port: string | undefined
  /** The client. */
  readonly domid: Domid
}

/** Takes the socket of each client; which kind of socket it is follows from the server's mode. */
export type ConnectionListener<Socket extends ServerSocket = ServerSocket> = (socket: Socket) => void

/** An environment for as long as it is needed. */
export interface ConduitLease {
  readonly conduit: Conduit
  release(): void
}
