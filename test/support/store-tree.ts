// The store as text, for comparing.
import type { XenstoreClient } from '../../src/xenstore/client.js'

/** Everything below `path`, with permissions and values, a line a node. */
export async function storeTree(dom0: XenstoreClient, path = '/conduit'): Promise<string[]> {
  const permissions = (await dom0.getPermissions(path)).map(({ access, domid }) => `${access}${domid}`).join()
  const children = (await dom0.directory(path)).sort()
  const below = await Promise.all(children.map((child) => storeTree(dom0, `${path}/${child}`)))
  const value = await dom0.readText(path)
  return [`${path} ${permissions}${value === '' ? '' : ` ${value}`}`, ...below.flat()]
}
