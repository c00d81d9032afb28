// The TCP half: so many connections at most; when one more comes, the oldest that waits for nothing makes room.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { DnsServerAddress } from '../../resolver/dns-server-address.js'
import type { ServerParts } from './server-parts.js'
import { TcpConnection, type TcpLimits } from './tcp-connection.js'

export interface TcpListenerLimits extends TcpLimits {
  readonly connectionsMax: number
}

export class TcpListener {
  readonly #server: Server
  readonly #parts: ServerParts
  readonly #limits: TcpListenerLimits
  /** The oldest first. */
  readonly #connections = new Set<TcpConnection>()

  private constructor(server: Server, parts: ServerParts, limits: TcpListenerLimits) {
    this.#server = server
    this.#parts = parts
    this.#limits = limits
    server.on('connection', (socket: Socket) => this.#accept(socket))
    // A connection that could not be accepted, for want of descriptors, is tried again by the client.
    server.on('error', () => undefined)
  }

  /** @throws what the kernel said */
  static async listen(
    { address, port, family }: DnsServerAddress,
    parts: ServerParts,
    limits: TcpListenerLimits,
  ): Promise<TcpListener> {
    // Half-open: who has sent its queries may say so, and still gets its answers.
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen({ host: address, port, ipv6Only: family === 6, exclusive: true })
    await once(server, 'listening')
    return new TcpListener(server, parts, limits)
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of this.#connections) connection.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    const { counters } = this.#parts
    counters.tcpConnections++
    if (this.#connections.size >= this.#limits.connectionsMax) {
      counters.tcpClosed++
      const idle = [...this.#connections].find((connection) => connection.isIdle)
      if (idle === undefined) {
        socket.on('error', () => undefined)
        socket.destroy()
        return
      }
      this.#connections.delete(idle)
      idle.destroy()
    }
    const connection = new TcpConnection(socket, this.#parts, this.#limits)
    this.#connections.add(connection)
    socket.on('close', () => this.#connections.delete(connection))
  }
}
