// The connections of one server: counted from their handshake to their close, made into sockets, handed out by
// `connection` events, or kept for whoever iterates. Where they come from is the server's business.
import type { EventEmitter } from 'node:events'
import type { ConduitMode } from '../../protocol/conduit.js'
import { ConduitMessageSocket } from '../vchan/message-socket.js'
import type { SocketIdentity } from '../vchan/net-face.js'
import { ConduitSocket } from '../vchan/socket.js'
import type { OpenConnection } from './peer-loss.js'
import type { ServerOptions } from './server-options.js'

/** One client's connection at a server: which of the two follows from the server's `mode`. */
export type ServerSocket = ConduitSocket | ConduitMessageSocket

export class ServerConnections {
  readonly #server: EventEmitter
  readonly #options: ServerOptions
  readonly #mode: ConduitMode
  readonly #handshakes = new Set<string>()
  readonly #sockets = new Set<ServerSocket>()
  /** Came while nobody listened for them. */
  readonly #unclaimed = new Set<ServerSocket>()
  #closing: 'no' | 'gently' | 'at once' = 'no'
  #whenEmpty: () => void = () => undefined

  constructor(server: EventEmitter, options: ServerOptions, mode: ConduitMode) {
    this.#server = server
    this.#options = options
    this.#mode = mode
  }

  /** Open connections. */
  get size(): number {
    return this.#sockets.size
  }

  /** Open connections and those on their way in. */
  get busy(): number {
    return this.#sockets.size + this.#handshakes.size
  }

  beginHandshake(key: string): void {
    this.#handshakes.add(key)
  }

  endHandshake(key: string): void {
    this.#handshakes.delete(key)
    this.#checkEmpty()
  }

  /** Make a socket of the channel and hand it out; `done` runs when it has closed. */
  welcome(open: OpenConnection, identity: SocketIdentity, done: () => void): void {
    const { allowHalfOpen, highWaterMark, pauseOnConnect, maxMessageBytes } = this.#options
    const socket =
      this.#mode === 'message'
        ? new ConduitMessageSocket(open.channel, { ...identity, allowHalfOpen, highWaterMark, maxMessageBytes })
        : new ConduitSocket(open.channel, { ...identity, allowHalfOpen, highWaterMark, pauseOnConnect })
    open.onPeerLost = (error) => void socket.destroy(error)
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#unclaimed.delete(socket)
      done()
      this.#checkEmpty()
    })
    // In a turn of its own: what a listener throws is the program's, not the rendezvous'.
    process.nextTick(() => this.#handOut(socket))
  }

  /** The sockets that nobody has taken so far: they are the caller's now. */
  takeUnclaimed(): ServerSocket[] {
    const sockets = [...this.#unclaimed]
    for (const socket of sockets) socket.removeListener('error', nobodysError)
    this.#unclaimed.clear()
    return sockets
  }

  /** Nobody will ask for the unclaimed any more. With `atOnce` the others are broken off as well. Resolves when none is left. */
  async close(atOnce: boolean): Promise<void> {
    if (atOnce || this.#closing === 'no') this.#closing = atOnce ? 'at once' : 'gently'
    for (const socket of atOnce ? this.#sockets : this.#unclaimed) socket.destroy()
    if (this.busy === 0) return
    const before = this.#whenEmpty
    await new Promise<void>((resolve) => {
      this.#whenEmpty = () => {
        before()
        resolve()
      }
    })
  }

  #handOut(socket: ServerSocket): void {
    if (this.#closing !== 'at once' && this.#server.emit('connection', socket)) return
    socket.on('error', nobodysError)
    if (this.#closing === 'no') this.#unclaimed.add(socket)
    else socket.destroy()
  }

  #checkEmpty(): void {
    if (this.busy === 0) this.#whenEmpty()
  }
}

/** A client that fails before anybody has its socket is no error of this program. */
function nobodysError(): void {}
