// What is written under a name's `listen` and beside it: the request of a client, the answer of a
// server, the two keys of a vchan, the value of a name. Each decoder takes whatever another domain wrote.
import { parsePort } from './conduit-name.js'
import { parseDomid } from './conduit-paths.js'
import { formatRecord, parseRecord } from './s-expression.js'
import { type Domid, type EvtchnPort, type Gref, isEvtchnPort, isGref } from './xen.js'

/**
 * A stream of bytes, or messages that each arrive whole. The client's request names it; a server of the other mode
 * refuses with CONDUIT_MODE.
 */
export type ConduitMode = 'stream' | 'message'

/** `(connect (port http) (mode stream) (ring 65536))`: port and ring may be left out. */
export interface ConnectRequest {
  readonly port: string | undefined
  readonly mode: ConduitMode
  /** Bytes wanted for each ring; the server decides. */
  readonly ringBytes: number | undefined
}

export type RendezvousEntry =
  | { readonly kind: 'connect'; readonly request: ConnectRequest }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly code: string }

/** Smallest and largest ring of a vchan (`xen/include/public/io/libxenvchan.h`, orders 10…20). */
export const RING_BYTES_MIN = 1024
export const RING_BYTES_MAX = 1 << 20

/** Strict decimal: no sign, no leading zero, no spaces; undefined when it is none or above `max`. */
function parseDecimal(text: string, max: number): number | undefined {
  if (!/^[1-9][0-9]{0,9}$/.test(text)) return undefined
  const value = Number(text)
  return value <= max ? value : undefined
}

const CONNECT_FIELDS: ReadonlySet<string> = new Set(['port', 'mode', 'ring'])
const REFUSED = /^refused ([A-Z][A-Z0-9_]{1,31})$/

export function formatConnect(request: ConnectRequest): string {
  return formatRecord('connect', { port: request.port, mode: request.mode, ring: request.ringBytes })
}

export const ACCEPTED = 'accepted'
export const formatRefused = (code: string): string => `refused ${code}`

/** The entry that `text` spells, or undefined. */
export function parseEntry(text: string): RendezvousEntry | undefined {
  if (text === ACCEPTED) return { kind: 'accepted' }
  const code = REFUSED.exec(text)?.[1]
  if (code !== undefined) return { kind: 'refused', code }
  const record = parseRecord(text)
  if (record?.head !== 'connect') return undefined
  const request = parseConnectFields(record.fields)
  return request && { kind: 'connect', request }
}

function parseConnectFields(fields: Readonly<Record<string, string>>): ConnectRequest | undefined {
  const { port, mode, ring } = fields
  if (Object.keys(fields).some((name) => !CONNECT_FIELDS.has(name))) return undefined
  if (mode !== 'stream' && mode !== 'message') return undefined
  if (port !== undefined && parsePort(port) !== port) return undefined
  const ringBytes = ring === undefined ? undefined : parseDecimal(ring, RING_BYTES_MAX)
  if (ring !== undefined && (ringBytes === undefined || ringBytes < RING_BYTES_MIN)) return undefined
  return { port, mode, ringBytes }
}

const U32_MAX = 0xffffffff

/** Strict decimal, not zero, at most ten digits: a grant reference that can be one. */
export function parseRingRef(text: string): Gref | undefined {
  const value = parseDecimal(text, U32_MAX)
  return value !== undefined && isGref(value) ? value : undefined
}

/** Strict decimal, not zero, at most ten digits. */
export function parseEventChannel(text: string): EvtchnPort | undefined {
  const value = parseDecimal(text, U32_MAX)
  return value !== undefined && isEvtchnPort(value) ? value : undefined
}

/** The owner of a name, as the registrar wrote it. */
export const parseOwner = (text: string): Domid | undefined => parseDomid(text)

/** The registrar's answer: `ok` or a code. */
export function parseAnswer(text: string): { ok: true } | { ok: false; code: string } | undefined {
  if (text === 'ok') return { ok: true }
  return /^[A-Z][A-Z0-9_]{1,31}$/.test(text) ? { ok: false, code: text } : undefined
}
