// What the conformance tests of the rendezvous need of a machine, whatever it is made of.
import type { Conduit } from '../../src/conduit/conduit.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'

export interface ConduitWorld {
  /** The store with all rights. */
  readonly dom0: XenstoreClient
  /** A domain of its own with an environment. */
  environment(): Promise<Conduit>
  /** A domain without one. */
  bare(): Promise<Substrate>
  /** Nodes of the rendezvous that should not outlive what made them. */
  leftovers(): Promise<string[]>
  /** Close every environment; fails when anything is left. */
  close(): Promise<void>
}

/** Made once a domain and kept: the roots of the mailbox, of the keys and of the names that are kept for somebody. */
const KEPT =
  /^\/conduit\/(host-id(\/reserved)?|flows)$|^\/local\/domain\/\d+(\/(domid|name|pid|data|data\/vchan|data\/conduit(\/(register|want|answer))?))?$/

/** Every node below the two trees of the rendezvous, but for those that are made once and kept. */
export async function leftoversIn(dom0: XenstoreClient): Promise<string[]> {
  const list = async (path: string): Promise<string[]> => {
    const children = await dom0.directory(path).catch(() => [])
    const below = children.map(async (child) => [`${path}/${child}`, ...(await list(`${path}/${child}`))])
    return (await Promise.all(below)).flat()
  }
  const nodes = await Promise.all([list('/conduit'), list('/local/domain')])
  return nodes.flat().filter((node) => !KEPT.test(node))
}
