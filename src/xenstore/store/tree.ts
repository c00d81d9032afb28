// The nodes by absolute path, with generations and the count of what each domain owns. Two faces of the same
// view: the tree itself, and a transaction's overlay (store-transaction.ts). Checks no rights and no quotas.
import type { Domid } from '../../../protocol/xen.js'
import type { Permission } from '../../../protocol/xenstore-permissions.js'
import { ChildNames, type NodeContent, ownerOf, type StoreNode } from './node.js'

/** A change that watches hear of. */
export interface Change {
  readonly path: string
  /** Only watches on exactly this path hear: the node went because an ancestor was removed. */
  readonly exact: boolean
  /** The node after the change; as it was before, when it is gone. */
  readonly node: StoreNode
  /** Permissions before the change: who loses the right to read still hears of that. */
  readonly formerPermissions?: readonly Permission[]
}

/** What a request works on: the tree, or a transaction's private view of it. */
export interface TreeView {
  get(path: string): StoreNode | undefined
  /** Store `content` under a new generation. */
  put(path: string, content: NodeContent): StoreNode
  delete(path: string): void
  /** Nodes that `domid` owns, as this view sees them. */
  ownedBy(domid: Domid): number
  /** Tell watches, now or when the transaction commits. */
  changed(change: Change): void
}

const DOMAIN_0 = 0 as Domid

export class StoreTree implements TreeView {
  readonly #nodes = new Map<string, StoreNode>()
  readonly #owned = new Map<Domid, number>()
  /** The generation at which a domain died: entries older than that mean a former holder of the number. */
  readonly #deaths = new Map<Domid, number>()
  readonly #onChange: (change: Change) => void
  #generation = 0

  constructor(onChange: (change: Change) => void) {
    this.#onChange = onChange
    const permissions = [{ access: 'n', domid: DOMAIN_0 }] as const
    const put = (path: string, children: string[] = []) =>
      this.put(path, { value: new Uint8Array(0), permissions, children: new ChildNames(children) })
    // What C xenstored starts with (core.c, setup_structure).
    put('/', ['tool'])
    put('/tool', ['xenstored'])
    put('/tool/xenstored')
    put('@introduceDomain')
    put('@releaseDomain')
  }

  get(path: string): StoreNode | undefined {
    const node = this.#nodes.get(path)
    return node === undefined || this.#deaths.size === 0 ? node : this.#withoutTheDead(node)
  }

  put(path: string, content: NodeContent): StoreNode {
    const former = this.#nodes.get(path)
    if (former !== undefined) this.#count(ownerOf(former), -1)
    const { value, permissions, children } = content
    const node = { value, permissions, children, generation: ++this.#generation }
    this.#nodes.set(path, node)
    this.#count(ownerOf(node), 1)
    return node
  }

  delete(path: string): void {
    const former = this.#nodes.get(path)
    if (former === undefined) return
    this.#generation++
    this.#nodes.delete(path)
    this.#count(ownerOf(former), -1)
  }

  ownedBy(domid: Domid): number {
    return this.#owned.get(domid) ?? 0
  }

  changed(change: Change): void {
    this.#onChange(change)
  }

  /** Entries written before now that name `domid` stop counting: the number may be given to another domain. */
  buryDomain(domid: Domid): void {
    this.#deaths.set(domid, ++this.#generation)
  }

  /** Paths of nodes that `domid` owns, ancestors before descendants. */
  pathsOwnedBy(domid: Domid): string[] {
    if (this.ownedBy(domid) === 0) return []
    const paths: string[] = []
    for (const [path, node] of this.#nodes) if (ownerOf(node) === domid) paths.push(path)
    return paths.sort((a, b) => a.length - b.length)
  }

  #count(domid: Domid, difference: number): void {
    const count = this.ownedBy(domid) + difference
    if (count === 0) this.#owned.delete(domid)
    else this.#owned.set(domid, count)
  }

  #withoutTheDead(node: StoreNode): StoreNode {
    const isDead = (entry: Permission) => (this.#deaths.get(entry.domid) ?? 0) > node.generation
    if (!node.permissions.some(isDead)) return node
    const [owner, ...others] = node.permissions as [Permission, ...Permission[]]
    const heir = isDead(owner) ? { access: owner.access, domid: DOMAIN_0 } : owner
    return { ...node, permissions: [heir, ...others.filter((entry) => !isDead(entry))] }
  }
}
