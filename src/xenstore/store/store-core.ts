// The parts of the embedded store that its connections share, and the life and death of domains.
import type { Domid } from '../../../protocol/xen.js'
import { domainPath } from '../../../protocol/xenstore-paths.js'
import type { Permission } from '../../../protocol/xenstore-permissions.js'
import { Domains } from './domains.js'
import { makeNode, removeSubtree, setPermissions, writeNode } from './operations.js'
import type { StoreQuotas } from './quotas.js'
import type { StoreConnection } from './store-connection.js'
import { StoreTree } from './tree.js'
import { WatchTable } from './watch-table.js'

const DOMAIN_0 = 0 as Domid

export class StoreCore {
  readonly connections = new Set<StoreConnection>()
  readonly domains: Domains
  readonly watches = new WatchTable()
  readonly tree: StoreTree

  constructor(quotas: StoreQuotas) {
    this.domains = new Domains(quotas)
    this.tree = new StoreTree((change) => this.watches.fire(this.tree, change))
  }

  /** Mark as introduced and say so to the watches; false when it was already. */
  introduce(domid: Domid): boolean {
    const domain = this.domains.record(domid)
    if (domain.introduced) return false
    domain.introduced = true
    this.watches.fireSpecial(this.tree, '@introduceDomain', domid)
    return true
  }

  /**
   * The domain's connections end; each node it owns goes with all below it, whoever owns that; entries that name it
   * count no more; then `@releaseDomain` fires. Order matters: who hears it must not find the domain's nodes.
   */
  release(domid: Domid, alsoRemove: readonly string[] = []): void {
    for (const connection of this.connections) if (connection.domain.domid === domid) connection.destroy()
    for (const path of [...this.tree.pathsOwnedBy(domid), ...alsoRemove]) {
      if (path.startsWith('/') && path !== '/' && this.tree.get(path) !== undefined) removeSubtree(this.tree, path)
    }
    this.tree.buryDomain(domid)
    // The root and the special nodes cannot go: domain 0 inherits them.
    for (const path of this.tree.pathsOwnedBy(domid)) this.tree.put(path, this.tree.get(path)!)
    this.domains.forget(domid)
    this.watches.fireSpecial(this.tree, '@releaseDomain', domid)
  }

  /** The nodes that a toolstack makes for a new domain (docs/misc/xenstore-paths.pandoc), those that Conduit needs. */
  makeDomainNodes(domid: Domid, more: Readonly<Record<string, string>>): void {
    const operation = {
      view: this.tree,
      caller: { domid: DOMAIN_0, target: undefined },
      quotas: this.domains.defaultQuotas,
    }
    const readable: Permission[] = [{ access: 'n', domid: DOMAIN_0 }]
    if (domid !== DOMAIN_0) readable.push({ access: 'r', domid })
    const base = domainPath(domid)
    makeNode(operation, base)
    setPermissions(operation, base, readable)
    writeNode(operation, `${base}/domid`, Buffer.from(String(domid)))
    setPermissions(operation, `${base}/domid`, readable)
    for (const [name, value] of Object.entries(more)) {
      writeNode(operation, `${base}/${name}`, Buffer.from(value))
      setPermissions(operation, `${base}/${name}`, readable.slice(0, 1))
    }
    makeNode(operation, `${base}/data`)
    setPermissions(operation, `${base}/data`, [{ access: 'n', domid }])
  }
}
