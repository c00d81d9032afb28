// The table of open connections under /conduit/flows, for people to read. An entry that cannot be written costs the
// table a line and nothing else.
import {
  FLOWS_ROOT,
  type FlowEntry,
  flowsPath,
  formatFlow,
  isConnectionId,
  parseDomid,
  parseFlow,
} from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import { type ConduitContext, ownDomid } from './context.js'

/** A line of the table. */
export interface Flow extends FlowEntry {
  /** The server's domain: proven, since only it can write in the directory that the line was found in. */
  readonly server: Domid
  /** Which connection: 12 hexadecimal digits, chosen at random by the client. */
  readonly connectionId: string
}

/** Add a line; the function returned takes it away again. */
export function writeFlow(context: ConduitContext, connectionId: string, flow: FlowEntry): () => void {
  const { store, background } = context
  const path = `${flowsPath(ownDomid(context))}/${connectionId}`
  let state: 'to come' | 'there' | 'gone' = 'to come'
  background.later(async () => {
    if (state === 'gone') return
    state = 'there'
    await store.write(path, formatFlow(flow))
  })
  return () => {
    if (state === 'there') background.run(store.remove(path))
    state = 'gone'
  }
}

/** The flows that `store` lets its caller read: all of them in dom0, a guest's own otherwise. Malformed lines are left out. */
export async function listFlows(store: XenstoreClient): Promise<Flow[]> {
  const servers = (await directoryOrNothing(store, FLOWS_ROOT)).flatMap((child) => parseDomid(child) ?? [])
  const flows = servers.map(async (server) => {
    const ids = (await directoryOrNothing(store, flowsPath(server))).filter(isConnectionId)
    return Promise.all(ids.map((connectionId) => readFlow(store, server, connectionId)))
  })
  return (await Promise.all(flows)).flat().filter((flow) => flow !== undefined)
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
