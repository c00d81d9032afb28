// Reading the table of open connections under /conduit/flows. Whatever servers wrote there is distrusted.
import {
  FLOWS_ROOT,
  type FlowEntry,
  flowsPath,
  isConnectionId,
  isUnlistedNode,
  parseDomid,
  parseFlow,
  parseUnlisted,
} from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'

/** A line of the table. */
export interface Flow extends FlowEntry {
  /** The server's domain: proven, since only it can write in the directory that the line was found in. */
  readonly server: Domid
  /** Which connection: 12 hexadecimal digits, chosen at random by the client. */
  readonly connectionId: string
}

/** How many connections of one server are open beyond those that the table has lines for. */
export interface UnlistedFlows {
  /** Whose table is full. */
  readonly server: Domid
  /** Connections to it that have no line of their own. */
  readonly count: number
}

/** The flows that `store` lets its caller read: all of them in dom0, a guest's own otherwise. Malformed lines are left out. */
export async function listFlows(store: XenstoreClient): Promise<Flow[]> {
  const flows = (await tablesIn(store)).map(({ server, children }) =>
    Promise.all(children.filter(isConnectionId).map((connectionId) => readFlow(store, server, connectionId))),
  )
  return (await Promise.all(flows)).flat().filter((flow) => flow !== undefined)
}

/** Of each server that has more connections than lines: how many more. */
export async function listUnlisted(store: XenstoreClient): Promise<UnlistedFlows[]> {
  const counts = (await tablesIn(store)).map(async ({ server, children }) => {
    const nodes = children.filter(isUnlistedNode).map((child) => store.readText(`${flowsPath(server)}/${child}`))
    const texts = await Promise.all(nodes.map((node) => node.catch(nothing)))
    return { server, count: texts.reduce((sum, text) => sum + parseUnlisted(text ?? ''), 0) }
  })
  return (await Promise.all(counts)).filter(({ count }) => count > 0)
}

async function tablesIn(store: XenstoreClient): Promise<{ readonly server: Domid; readonly children: string[] }[]> {
  const servers = (await directoryOrNothing(store, FLOWS_ROOT)).flatMap((child) => parseDomid(child) ?? [])
  return Promise.all(
    servers.map(async (server) => ({ server, children: await directoryOrNothing(store, flowsPath(server)) })),
  )
}

async function readFlow(store: XenstoreClient, server: Domid, connectionId: string): Promise<Flow | undefined> {
  const text = await store.readText(`${flowsPath(server)}/${connectionId}`).catch(nothing)
  const flow = text === undefined ? undefined : parseFlow(text)
  return flow === undefined ? undefined : { ...flow, server, connectionId }
}

const directoryOrNothing = async (store: XenstoreClient, path: string): Promise<string[]> =>
  (await store.directory(path).catch(nothing)) ?? []

/** Closed while we looked, or not ours to read. */
function nothing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT') && !isConduitError(error, 'EACCES')) throw error
}
