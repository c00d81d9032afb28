// A transaction as C xenstored does it: an overlay that remembers, for each node touched, its generation at first
// touch. Nobody sees the overlay before commit; the tree is never copied.
import type { Domid } from '../../../protocol/xen.js'
import { type NodeContent, ownerOf, type StoreNode } from './node.js'
import { StoreFault } from './store-fault.js'
import type { Change, StoreTree, TreeView } from './tree.js'

/** What the transaction knows of one path. */
interface Touched {
  /** In the tree at first touch; 0 where there was no node. */
  readonly generation: number
  readonly former: StoreNode | undefined
  node: StoreNode | undefined
  modified: boolean
  change: Change | undefined
}

/**
 * Rules: a node looks the same throughout the transaction, but for its own writes; commit fails with EAGAIN when any
 * node touched, also one that was found missing, has another generation in the tree by then; watches fire at commit.
 */
export class StoreTransaction implements TreeView {
  readonly #tree: StoreTree
  readonly #maxNodes: number
  readonly #touched = new Map<string, Touched>()
  readonly #ownedDifference = new Map<Domid, number>()
  #failed = false

  /** `maxNodes`: 0 for no limit. */
  constructor(tree: StoreTree, maxNodes: number) {
    this.#tree = tree
    this.#maxNodes = maxNodes
  }

  get(path: string): StoreNode | undefined {
    return this.#touch(path).node
  }

  put(path: string, content: NodeContent): StoreNode {
    const touched = this.#touch(path)
    if (touched.node !== undefined) this.#count(ownerOf(touched.node), -1)
    const { value, permissions, children } = content
    const node = { value, permissions, children, generation: touched.generation }
    touched.node = node
    touched.modified = true
    this.#count(ownerOf(node), 1)
    return node
  }

  delete(path: string): void {
    const touched = this.#touch(path)
    if (touched.node === undefined) return
    this.#count(ownerOf(touched.node), -1)
    touched.node = undefined
    touched.modified = true
  }

  ownedBy(domid: Domid): number {
    return this.#tree.ownedBy(domid) + (this.#ownedDifference.get(domid) ?? 0)
  }

  /** One change a path: a wide one replaces an exact one, never the other way round. */
  changed(change: Change): void {
    const touched = this.#touch(change.path)
    const exact = change.exact && (touched.change?.exact ?? true)
    touched.change = { ...change, exact }
  }

  /**
   * Move everything into the tree, then tell the watches.
   * @throws StoreFault EAGAIN on a conflict; ENOMEM when the transaction has outgrown its quota before; what
   * `checkOwned` throws for a domain that would own too many nodes. The tree is then as it was.
   */
  commit(checkOwned: (domid: Domid, count: number) => void): void {
    if (this.#failed) throw new StoreFault('ENOMEM')
    for (const [path, { generation }] of this.#touched) {
      if ((this.#tree.get(path)?.generation ?? 0) !== generation) throw new StoreFault('EAGAIN')
    }
    for (const [domid, difference] of this.#ownedDifference) {
      if (difference > 0) checkOwned(domid, this.ownedBy(domid))
    }
    for (const [path, { modified, node }] of this.#touched) {
      if (!modified) continue
      if (node === undefined) this.#tree.delete(path)
      else this.#tree.put(path, node)
    }
    for (const { change, former } of this.#touched.values()) {
      if (change !== undefined) {
        this.#tree.changed(former === undefined ? change : { ...change, formerPermissions: former.permissions })
      }
    }
  }

  #touch(path: string): Touched {
    const known = this.#touched.get(path)
    if (known !== undefined) return known
    if (this.#maxNodes !== 0 && this.#touched.size >= this.#maxNodes) {
      this.#failed = true
      throw new StoreFault('ENOSPC')
    }
    const node = this.#tree.get(path)
    node?.children.share()
    const touched = { generation: node?.generation ?? 0, former: node, node, modified: false, change: undefined }
    this.#touched.set(path, touched)
    return touched
  }

  #count(domid: Domid, difference: number): void {
    this.#ownedDifference.set(domid, (this.#ownedDifference.get(domid) ?? 0) + difference)
  }
}
