// One line of the table of open connections, and the count of those that have none: written by servers for people to read.
import { parseName, parsePort } from './conduit-name.js'
import { parseDomid } from './conduit-paths.js'
import { formatRecord, parseRecord } from './s-expression.js'
import type { Domid } from './xen.js'

/** An open connection as its server wrote it down. The server's word for it: nothing here is proven. */
export interface FlowEntry {
  /** The only state there is: the entry is written when the client has come, and removed when the socket closes. */
  readonly state: 'established'
  /** The domain at the client's end. */
  readonly client: Domid
  /** The name that the client connected to. */
  readonly name: string
  /** The port within the name; undefined where the client asked for none. */
  readonly port: string | undefined
}

const FLOW_FIELDS: ReadonlySet<string> = new Set(['client', 'name', 'port'])

/** `(established (client 7) (name web) (port http))` */
export function formatFlow(flow: FlowEntry): string {
  return formatRecord(flow.state, { client: flow.client, name: flow.name, port: flow.port })
}

/** The flow that `entry` spells, or undefined: any server may write anything there. */
export function parseFlow(entry: string): FlowEntry | undefined {
  const record = parseRecord(entry)
  if (record?.head !== 'established') return undefined
  const { client: text, name, port } = record.fields
  const client = text === undefined ? undefined : parseDomid(text)
  if (client === undefined || name === undefined || parseName(name) !== name) return undefined
  if (port !== undefined && parsePort(port) !== port) return undefined
  if (Object.keys(record.fields).some((field) => !FLOW_FIELDS.has(field))) return undefined
  return { state: 'established', client, name, port }
}

/**
 * Lines that one server process writes. A node with the names of its children has 2,048 bytes on C xenstored (155 lines), and
 * a domain 1,000 nodes, of which the keys of new connections want some too.
 */
export const FLOW_LINES = 128

const UNLISTED = /^unlisted-[0-9a-f]{8}$/
const COUNT = /^[1-9][0-9]{0,8}$/

/** The node in which a process counts its connections without a line; a domain may have several processes. */
export const unlistedNode = (process: string): string => `unlisted-${process}`
export const isUnlistedNode = (child: string): boolean => UNLISTED.test(child)

/** The count that `text` spells; 0 for anything else, since any server may write anything there. */
export const parseUnlisted = (text: string): number => (COUNT.test(text) ? Number(text) : 0)
