// Servers of every kind that send back what they get, on ports and paths that the kernel or the test chooses, closed together.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import type { ConduitServer, ConduitSocket } from '../../src/index.js'
import { createServer } from '../../src/index.js'
import { TEST_CERTIFICATE, TEST_KEY } from './test-certificate.js'

type Handler = (socket: Socket) => void

const echo: Handler = (socket) => socket.pipe(socket)

export class EchoServers {
  readonly directory = mkdtempSync(join(tmpdir(), 'conduit-echo-'))
  readonly #servers: Server[] = []
  readonly #conduits: ConduitServer[] = []
  readonly #sockets = new Set<Socket>()

  /** Resolves with the port. */
  async tcp(handler: Handler = echo, address = '127.0.0.1'): Promise<number> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => this.#keep(socket, handler))
    return this.#listen(server.listen(0, address))
  }

  /** Resolves with the path. */
  async unix(handler: Handler = echo): Promise<string> {
    const path = join(this.directory, `socket-${this.#servers.length}`)
    const server = net.createServer({ allowHalfOpen: true }, (socket) => this.#keep(socket, handler))
    await this.#listen(server.listen(path))
    return path
  }

  /** Over TCP, with the certificate of the tests; resolves with the port. */
  async tls(options: tls.TlsOptions = {}, handler: Handler = echo): Promise<number> {
    const server = tls.createServer({ key: TEST_KEY, cert: TEST_CERTIFICATE, ...options }, (socket) =>
      this.#keep(socket, handler),
    )
    server.on('tlsClientError', () => undefined)
    server.on('connection', (socket: Socket) => this.#keep(socket, () => undefined))
    return this.#listen(server.listen(0, '127.0.0.1'))
  }

  /** In the environment that connect() shares. */
  async conduit(
    name: string,
    handler: (socket: ConduitSocket) => void = (socket) => socket.pipe(socket),
  ): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined)
      handler(socket)
    })
    this.#conduits.push(server)
    await server.listen(name)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(
      this.#servers.map(async (server) => {
        server.close()
        await once(server, 'close')
      }),
    )
    await Promise.all(this.#conduits.map((server) => server.destroy()))
    rmSync(this.directory, { recursive: true })
  }

  async #listen(server: Server): Promise<number> {
    await once(server, 'listening')
    this.#servers.push(server)
    const address = server.address() as AddressInfo | string
    return typeof address === 'string' ? 0 : address.port
  }

  #keep(socket: Socket, handler: Handler): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
    handler(socket)
  }
}
