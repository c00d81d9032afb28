// The local hypervisor's main module: started by whoever needs it first (substrate/local/start-hypervisor.ts), with
// the runtime directory as its argument and the lock as descriptor 3. Leaves when the last client has gone.
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import {
  CONTROL_SOCKET_NAME,
  DOMAIN_PROCESS_KEY,
  DOMID_FILE_NAME,
  XENSTORE_SOCKET_NAME,
} from '../../protocol/local-control.js'
import { DOMID_FIRST_RESERVED, type Domid, domid } from '../../protocol/xen.js'
import { Registrar } from '../conduit/registrar.js'
import { native } from '../native.js'
import { Acceptor } from '../substrate/local/acceptor.js'
import { DomainStoreSockets } from '../substrate/local/domain-store-sockets.js'
import { LocalHypervisor } from '../substrate/local/hypervisor.js'
import { isProcessOf } from '../substrate/local/process-identity.js'
import { XenstoreClient } from '../xenstore/client.js'
import { serveSocket, serveStore } from '../xenstore/store/socket-server.js'
import { EmbeddedStore } from '../xenstore/store/store.js'

/** Nodes a domain may own: a process with thousands of connections is ordinary here (C xenstored: 1,000). */
const NODES_PER_DOMAIN = 10_000
/** How long a new instance waits for the clients of one that died before it lets newcomers in. */
const GRACE_MS = 300
/** How long it stays after the last client: the next command of a script finds it warm. */
const LINGER_MS = 150
/** The registrar's connection to the store. */
const OWN_CONNECTIONS = 1

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** First domid that the instance before cannot have handed out; 1 when there was none or its mark is no number. */
function firstDomid(path: string): number {
  if (!exists(path)) return 1
  const mark = Number(readFileSync(path, 'utf8'))
  return Number.isInteger(mark) && mark > 0 && mark < DOMID_FIRST_RESERVED ? mark : 1
}

async function main(directory: string): Promise<void> {
  const controlPath = join(directory, CONTROL_SOCKET_NAME)
  const storePath = join(directory, XENSTORE_SOCKET_NAME)
  const domidPath = join(directory, DOMID_FILE_NAME)
  // A socket that nobody removed: the instance before was killed, and its clients are about to come back.
  const afterCrash = exists(controlPath)
  const nextDomid = afterCrash ? firstDomid(domidPath) : 1
  rmSync(controlPath, { force: true })
  rmSync(storePath, { force: true })

  const store = new EmbeddedStore({ quotas: { nodes: NODES_PER_DOMAIN } })
  const client = await XenstoreClient.open(async () => store.transport(domid(0)))
  await Registrar.start(client, {
    isProcessOf: (id, reservation) => {
      const pid = hypervisor.processOf(id)
      return pid !== undefined && isProcessOf(pid, reservation)
    },
  })
  await serveStore(store, storePath)
  const serve = (id: Domid, fd: number): void => {
    native().releaseFd(fd)
    serveSocket(store, id, new Socket({ fd, readable: true, writable: true }))
  }
  const domainSockets = new DomainStoreSockets(directory, serve)

  let timer: NodeJS.Timeout | undefined
  const leaveIfIdle = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (hypervisor.domainCount > 0) return
      // Somebody looks around with xenstore-ls or the like: stay until they are done.
      if (store.connections > OWN_CONNECTIONS) {
        leaveIfIdle()
        return
      }
      for (const path of [controlPath, storePath, domidPath]) rmSync(path, { force: true })
      process.exit(0)
    }, LINGER_MS)
  }
  const hypervisor = new LocalHypervisor({
    store: {
      introduceDomain: (id, pid) => store.introduceDomain(id, { [DOMAIN_PROCESS_KEY]: String(pid) }),
      domainDied: (id) => {
        domainSockets.close(id)
        store.domainDied(id)
      },
      serve,
      listen: (id, pid) => domainSockets.open(id, pid),
    },
    nextDomid,
    reserveDomids: (below) => writeFileSync(domidPath, String(below)),
    grace: afterCrash,
    onIdle: leaveIfIdle,
  })

  new Acceptor(native().unixListen(controlPath, false), (fd) => hypervisor.accept(fd))
  if (afterCrash) setTimeout(() => hypervisor.endGrace(), GRACE_MS)
  leaveIfIdle()
}

await main(process.argv[2]!)
