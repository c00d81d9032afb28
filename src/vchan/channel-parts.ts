// What a finished handshake hands to the channel, whichever side made it: pages, port, rings. Opens nothing itself.
import { endMarksOffset, inPageOffset, type RingOrders, ringBytes } from '../../protocol/vchan-page.js'
import { type Domid, type EvtchnPort, type Gref, PAGE_BYTES } from '../../protocol/xen.js'
import type { EventChannel, Pages } from '../substrate/substrate.js'
import { ControlPage, type Role } from './control-page.js'
import { RingMemory } from './ring-memory.js'
import { RingReader } from './ring-reader.js'
import { RingWriter } from './ring-writer.js'
import { SharedWords } from './shared-words.js'

/** Bytes moved between two publications at most: small enough for both ends to overlap, large enough to copy fast. */
const SLICE_BYTES_MAX = 64 * 1024

/** Shared fields of a control page; tests put a double in its place. */
export type Words = Pick<SharedWords, keyof SharedWords>
/** A ring's payload; tests put a double in its place. */
export type Payload = Pick<RingMemory, keyof RingMemory>

export interface ChannelParts {
  readonly role: Role
  readonly peer: Domid
  readonly ringRef: Gref
  readonly port: EvtchnPort
  readonly event: EventChannel
  /** Closed in this order, the control page last. */
  readonly pages: readonly Pages[]
  /** Holds the control page, at its start. */
  readonly control: Pages
  readonly orders: RingOrders
  /** A server's offer of end marks; for a client, whether the server has made it. */
  readonly endMarks: boolean
  readonly words: Words
  readonly left: Payload
  readonly right: Payload
}

export const controlWords = (control: Pages): Words => new SharedWords(control.buffer, PAGE_BYTES)

/** The payload of a ring inside the control page, or undefined when it needs pages of its own. */
export function inPagePayload(control: Pages, order: number): Payload | undefined {
  const byteOffset = inPageOffset(order)
  return byteOffset === undefined ? undefined : new RingMemory(control.buffer, byteOffset, ringBytes(order))
}

/** The payload of a ring that fills pages of its own, from `byteOffset` on. */
export function ownPayload(buffer: ArrayBuffer, byteOffset: number, order: number): Payload {
  return new RingMemory(buffer, byteOffset, ringBytes(order))
}

/** The control page and both ring ends, from this role's side. */
export function openRings(parts: ChannelParts): { page: ControlPage; reader: RingReader; writer: RingWriter } {
  const { role, orders, peer } = parts
  const page = new ControlPage(parts.words, role, parts.event, endMarksOffset(orders))
  const layout = (order: number) => {
    const sizeBytes = ringBytes(order)
    // About a quarter of the ring.
    return { sizeBytes, sliceBytes: Math.max(1, Math.min(SLICE_BYTES_MAX, sizeBytes >> 2)), peer }
  }
  const left = [parts.left, layout(orders.left)] as const
  const right = [parts.right, layout(orders.right)] as const
  const [inbound, outbound] = role === 'server' ? [left, right] : [right, left]
  return { page, reader: new RingReader(page, ...inbound), writer: new RingWriter(page, ...outbound) }
}
