// One node of the tree as a value, and the names of its children. Knows neither paths nor who asks.

import type { Domid } from '../../../protocol/xen.js'
import type { Permission } from '../../../protocol/xenstore-permissions.js'

/** What a node holds. Never changed in place: a write replaces the node. */
export interface StoreNode {
  readonly value: Uint8Array
  /** At least one entry; entry 0 is the owner's. */
  readonly permissions: readonly Permission[]
  readonly children: ChildNames
  /** Grows with every write to any node, so that equal numbers mean an untouched node. */
  readonly generation: number
}

/** A node before it is stored: the store gives the generation. */
export type NodeContent = Omit<StoreNode, 'generation'>

// sizeof(struct node_hdr) and sizeof(struct xs_permissions) of tools/xenstored/core.h
const NODE_HEADER_BYTES = 16
const PERMISSION_BYTES = 8

/** Bytes of a node that count against {@link StoreQuotas.nodeBytes}. */
export const nodeBytes = (node: NodeContent): number =>
  NODE_HEADER_BYTES + node.permissions.length * PERMISSION_BYTES + node.value.length + node.children.bytes

/** Entry 0's domain. */
export const ownerOf = (node: NodeContent): Domid => node.permissions[0]!.domid

/**
 * Names in the order they were added. A set is handed on from one version of its node to the next without copying,
 * as long as no transaction looks at it; {@link share} says that one does, and the next change then copies.
 */
export class ChildNames implements Iterable<string> {
  readonly #names: Set<string>
  #bytes: number
  #shared = false

  constructor(names: Iterable<string> = []) {
    this.#names = new Set(names)
    this.#bytes = 0
    for (const name of this.#names) this.#bytes += name.length + 1
  }

  /** Bytes of all names, each with a NUL. */
  get bytes(): number {
    return this.#bytes
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names.values()
  }

  /** From now on the next change makes a copy. */
  share(): void {
    this.#shared = true
  }

  /** These names and one more; may be this very object, changed. */
  with(name: string): ChildNames {
    const names = this.#changeable()
    if (!names.#names.has(name)) {
      names.#names.add(name)
      names.#bytes += name.length + 1
    }
    return names
  }

  /** These names but one; may be this very object, changed. */
  without(name: string): ChildNames {
    const names = this.#changeable()
    if (names.#names.delete(name)) names.#bytes -= name.length + 1
    return names
  }

  #changeable(): ChildNames {
    return this.#shared ? new ChildNames(this.#names) : this
  }
}
