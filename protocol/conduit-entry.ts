// What is written under a name's `listen` and beside it: the request of a client, the answer of a
// server, the two keys of a vchan, the value of a name. Each decoder takes whatever another domain wrote.
import { z } from 'zod'
import { parsePort } from './conduit-name.js'
import { parseDomid } from './conduit-paths.js'
import { formatRecord, parseRecord } from './s-expression.js'
import { type Domid, type EvtchnPort, type Gref, isEvtchnPort, isGref } from './xen.js'

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

const decimal = (max: number) =>
  z
    .string()
    .regex(/^[1-9][0-9]{0,9}$/)
    .transform(Number)
    .pipe(z.int().max(max))

const connectFields = z.strictObject({
  port: z
    .string()
    .refine((text) => parsePort(text) === text)
    .optional(),
  mode: z.enum(['stream', 'message']),
  ring: decimal(RING_BYTES_MAX).pipe(z.int().min(RING_BYTES_MIN)).optional(),
})
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
  const { success, data } = connectFields.safeParse(record.fields)
  if (!success) return undefined
  return { kind: 'connect', request: { port: data.port, mode: data.mode, ringBytes: data.ring } }
}

const u32 = decimal(0xffffffff)

/** Strict decimal, not zero, at most ten digits: a grant reference that can be one. */
export function parseRingRef(text: string): Gref | undefined {
  const { success, data } = u32.safeParse(text)
  return success && isGref(data) ? data : undefined
}

/** Strict decimal, not zero, at most ten digits. */
export function parseEventChannel(text: string): EvtchnPort | undefined {
  const { success, data } = u32.safeParse(text)
  return success && isEvtchnPort(data) ? data : undefined
}

/** The owner of a name, as the registrar wrote it. */
export const parseOwner = (text: string): Domid | undefined => parseDomid(text)

/** The registrar's answer: `ok` or a code. */
export function parseAnswer(text: string): { ok: true } | { ok: false; code: string } | undefined {
  if (text === 'ok') return { ok: true }
  return /^[A-Z][A-Z0-9_]{1,31}$/.test(text) ? { ok: false, code: text } : undefined
}
