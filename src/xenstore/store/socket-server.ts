// Serves an embedded store on a unix stream socket, so that xenstore-ls and its like can read it. Whoever may open the
// socket counts as domain 0, as with xenstored: the socket's directory is the gate.
import { createServer, type Server, type Socket } from 'node:net'
import type { Domid } from '../../../protocol/xen.js'
import { checkUnixPath, writeInTick } from '../unix-socket-transport.js'
import type { EmbeddedStore } from './store.js'

const DOMAIN_0 = 0 as Domid

/** A listening socket of a store. */
export interface StoreServer {
  readonly path: string
  /** Stop listening, end the connections that came through it, remove the socket. Idempotent. */
  close(): Promise<void>
  ref(): void
  unref(): void
}

/**
 * Listen at `path`, which must not exist.
 * @throws ConduitError EINVAL for a path over 107 bytes; the error of node:net when the path cannot be bound
 */
export async function serveStore(store: EmbeddedStore, path: string): Promise<StoreServer> {
  checkUnixPath(path)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serveSocket(store, DOMAIN_0, socket)
  })
  await listening(server, path)
  return {
    path,
    ref: () => {
      server.ref()
    },
    unref: () => {
      server.unref()
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // The server's own 'close' comes before that of its last sockets.
      const ended = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
      for (const socket of sockets) socket.destroy()
      await Promise.all([closed, ...ended])
    },
  }
}

/** Serve one connected socket with `domid`'s rights until either side ends it. */
export function serveSocket(store: EmbeddedStore, domid: Domid, socket: Socket): void {
  const connection = store.connect(domid, {
    send: (bytes) => {
      // A client that reads no replies is not read from either: neither its requests nor our answers pile up.
      const more = socket.destroyed || writeInTick(socket, bytes)
      if (!more) socket.pause()
      return more
    },
    close: () => {
      socket.destroySoon()
    },
  })
  socket.on('data', (bytes: Buffer) => {
    // Corked first and let go last: others hear of a change before the one who made it is answered, since they go on with
    // it, and who is woken first runs first.
    socket.cork()
    connection.receive(bytes)
    process.nextTick(() => socket.uncork())
  })
  socket.on('drain', () => {
    connection.drained()
    if (!connection.blocked) socket.resume()
  })
  // 'close' follows every error and does what is to be done.
  socket.on('error', () => {})
  socket.once('close', () => connection.close())
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
