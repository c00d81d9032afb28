// Reading and changing nodes on behalf of a caller: rights, quotas, inheritance, what watches hear. Works on the
// tree and on a transaction alike. Each operation checks everything first and then changes, so that it is whole or not at all.
import { childPath, leafName, parentPath } from '../../../protocol/xenstore-paths.js'
import type { Permission } from '../../../protocol/xenstore-permissions.js'
import { ChildNames, type NodeContent, nodeBytes, ownerOf, type StoreNode } from './node.js'
import { exceeds, type StoreQuotas } from './quotas.js'
import { type Caller, isPrivileged, nodeWithRights, RIGHTS } from './rights.js'
import { StoreFault } from './store-fault.js'
import type { TreeView } from './tree.js'

/** On what, for whom, within which limits. Paths are absolute and valid by now. */
export interface Operation {
  readonly view: TreeView
  readonly caller: Caller
  readonly quotas: StoreQuotas
}

const NOTHING = new Uint8Array(0)

/** @throws StoreFault ENOENT, EACCES */
export const readNode = ({ view, caller }: Operation, path: string): StoreNode =>
  nodeWithRights(view, caller, path, RIGHTS.read)

/** Set a value; missing nodes on the way are made, empty. @throws StoreFault EACCES, ENOSPC */
export function writeNode(operation: Operation, path: string, value: Uint8Array): void {
  const { view } = operation
  const node = writableNode(operation, path)
  if (node === undefined) {
    createNode(operation, path, value)
    return
  }
  const content = { ...node, value }
  checkSize(operation, content)
  view.changed({ path, exact: false, node: view.put(path, content), formerPermissions: node.permissions })
}

/** Make a node unless it is there. @throws StoreFault EACCES, ENOSPC */
export function makeNode(operation: Operation, path: string): void {
  if (writableNode(operation, path) === undefined) createNode(operation, path, NOTHING)
}

/** Remove a node with all below it. @throws StoreFault ENOENT when the parent is missing too, EACCES, EINVAL for `/` */
export function removeNode(operation: Operation, path: string): void {
  const { view } = operation
  if (path === '/') throw new StoreFault('EINVAL')
  if (writableNode(operation, path) !== undefined) removeSubtree(view, path)
  else if (view.get(parentPath(path)) === undefined) throw new StoreFault('ENOENT')
}

/** Remove without asking for rights: children go first, so that each watch is told with its own path. */
export function removeSubtree(view: TreeView, root: string): void {
  const parent = view.get(parentPath(root))!
  for (const path of descendantsFirst(view, root)) {
    const node = view.get(path)!
    view.delete(path)
    view.changed({ path, exact: path !== root, node })
  }
  view.put(parentPath(root), { ...parent, children: parent.children.without(leafName(root)) })
}

/** @throws StoreFault EACCES for who is not the owner, EPERM for changing the owner, ENOSPC for too many entries */
export function setPermissions(operation: Operation, path: string, permissions: readonly Permission[]): void {
  const { view, caller, quotas } = operation
  const unprivileged = !isPrivileged(caller)
  if (unprivileged && exceeds(permissions.length, quotas.permissions)) throw new StoreFault('ENOSPC')
  const node = nodeWithRights(view, caller, path, RIGHTS.write | RIGHTS.owner)
  if (unprivileged && permissions[0]?.domid !== ownerOf(node)) throw new StoreFault('EPERM')
  const content = { ...node, permissions }
  checkSize(operation, content)
  view.changed({ path, exact: false, node: view.put(path, content), formerPermissions: node.permissions })
}

function writableNode({ view, caller }: Operation, path: string): StoreNode | undefined {
  try {
    return nodeWithRights(view, caller, path, RIGHTS.write)
  } catch (fault) {
    if (fault instanceof StoreFault && fault.errorName === 'ENOENT') return undefined
    throw fault
  }
}

/** Permissions come from the nearest ancestor; an unprivileged creator takes the owner's place in entry 0. */
function createNode(operation: Operation, path: string, value: Uint8Array): void {
  const { view, caller, quotas } = operation
  const missing = [path]
  let ancestorPath = parentPath(path)
  let ancestor = view.get(ancestorPath)
  for (; ancestor === undefined; ancestor = view.get(ancestorPath)) {
    missing.push(ancestorPath)
    ancestorPath = parentPath(ancestorPath)
  }
  if (!isPrivileged(caller) && exceeds(view.ownedBy(caller.domid) + missing.length, quotas.nodes)) {
    throw new StoreFault('ENOSPC')
  }
  const permissions = inherited(ancestor.permissions, caller)
  const contents = missing.map((_, index) => {
    const below = missing[index - 1]
    const children = new ChildNames(below === undefined ? [] : [leafName(below)])
    return { value: index === 0 ? value : NOTHING, permissions, children }
  })
  for (const content of contents) checkSize(operation, content)
  const topName = leafName(missing.at(-1)!)
  checkSize(operation, ancestor, topName.length + 1)
  const node = view.put(path, contents[0]!)
  for (let index = 1; index < missing.length; index++) view.put(missing[index]!, contents[index]!)
  view.put(ancestorPath, { ...ancestor, children: ancestor.children.with(topName) })
  view.changed({ path, exact: false, node })
}

function inherited(permissions: readonly Permission[], caller: Caller): readonly Permission[] {
  if (isPrivileged(caller)) return permissions
  const [owner, ...others] = permissions as [Permission, ...Permission[]]
  return [{ access: owner.access, domid: caller.domid }, ...others]
}

function checkSize({ caller, quotas }: Operation, content: NodeContent, extraBytes = 0): void {
  if (isPrivileged(caller)) return
  if (exceeds(nodeBytes(content) + extraBytes, quotas.nodeBytes)) throw new StoreFault('ENOSPC')
}

function descendantsFirst(view: TreeView, root: string): string[] {
  const paths = [root]
  for (let index = 0; index < paths.length; index++) {
    const path = paths[index]!
    for (const child of view.get(path)!.children) paths.push(childPath(path, child))
  }
  return paths.reverse()
}
