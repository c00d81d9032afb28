// For programs that reach the store by a path, as libxenstore does: a socket for one domain, in the runtime directory,
// that only the domain's own process may use. Whoever connects with its rights is served by the store.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DOMAIN_STORE_PREFIX, domainStoreName } from '../../../protocol/local-control.js'
import type { Domid } from '../../../protocol/xen.js'
import { native } from '../../native.js'
import { Acceptor } from './acceptor.js'

/** Serve a connection with the domain's rights on a stream socket, which it takes over. */
export type ServeStore = (domid: Domid, fd: number) => void

const OURS = new RegExp(`^${DOMAIN_STORE_PREFIX}[0-9]{1,5}$`)

export class DomainStoreSockets {
  readonly #directory: string
  readonly #serve: ServeStore
  readonly #open = new Map<Domid, Acceptor>()

  /** Removes the sockets that a killed hypervisor left: their domains ask again. */
  constructor(directory: string, serve: ServeStore) {
    this.#directory = directory
    this.#serve = serve
    for (const name of readdirSync(directory)) if (OURS.test(name)) rmSync(join(directory, name), { force: true })
  }

  /** Listen for process `pid`. Idempotent. @throws the addon's errors */
  open(domid: Domid, pid: number): void {
    if (this.#open.has(domid)) return
    const listener = native().unixListen(join(this.#directory, domainStoreName(domid)), true)
    this.#open.set(
      domid,
      new Acceptor(listener, (fd) => {
        // Any process of this user can open the path; the rights are those of one of them.
        if (native().peerCredentials(fd).pid === pid) this.#serve(domid, fd)
        else native().closeFd(fd)
      }),
    )
  }

  close(domid: Domid): void {
    const acceptor = this.#open.get(domid)
    if (acceptor === undefined) return
    this.#open.delete(domid)
    acceptor.close()
    rmSync(join(this.#directory, domainStoreName(domid)), { force: true })
  }
}
