// The embedded store as the suites take it: in this process, and through a unix socket where only domain 0 is.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveStore } from '../../src/xenstore/store/socket-server.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { XENSTORED_421 } from './xenstore-rules.js'
import type { StoreTraits } from './xenstore-suite.js'

export const EMBEDDED: StoreTraits = {
  rules: XENSTORED_421,
  name: 'embedded, in process',
  guests: true,
  start() {
    const store = new EmbeddedStore()
    return {
      connect: (domid) => async () => store.transport(domid),
      introduce: (domid) => store.introduceDomain(domid),
      kill: (domid) => store.domainDied(domid),
      close: () => store.close(),
    }
  },
}

export const EMBEDDED_SOCKET: StoreTraits = {
  rules: XENSTORED_421,
  name: 'embedded, unix socket',
  guests: false,
  async start() {
    const directory = mkdtempSync(join(tmpdir(), 'conduit-xenstore-'))
    const server = await serveStore(new EmbeddedStore(), join(directory, 'socket'))
    return {
      socket: server.path,
      connect: () => unixSocketTransport(server.path),
      close: async () => {
        await server.close()
        rmSync(directory, { recursive: true })
      },
    }
  },
}
