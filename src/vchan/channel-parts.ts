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

/** About a quarter of the ring. */
const sliceBytes = (sizeBytes: number): number => Math.min(SLICE_BYTES_MAX, sizeBytes >> 2)

/** Where a ring's bytes lie. */
export interface RingPlace {
  readonly pages: Pages
  readonly byteOffset: number
}

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
  /** Whether this side offers end marks, and the peer's state of them as it is now. */
  readonly endMarks: boolean
  readonly left: RingPlace
  readonly right: RingPlace
}

/** A ring that fills pages of its own. The in-process substrate's buffers are windows: they start somewhere else. */
export function wholePages(pages: Pages & { readonly byteOffset?: number }): RingPlace {
  return { pages, byteOffset: pages.byteOffset ?? 0 }
}

/** A ring inside the control page, or undefined when it needs pages of its own. */
export function inPage(control: Pages, order: number): RingPlace | undefined {
  const byteOffset = inPageOffset(order)
  return byteOffset === undefined ? undefined : { pages: control, byteOffset }
}

/** The control page and both ring ends over the mapped pages, from this role's side. */
export function openRings(parts: ChannelParts): { page: ControlPage; reader: RingReader; writer: RingWriter } {
  const { control, role, orders, event, peer, left, right } = parts
  const words = new SharedWords(control.buffer, PAGE_BYTES)
  const page = new ControlPage(words, role, event, endMarksOffset(orders))
  const side = (place: RingPlace, order: number) => {
    const sizeBytes = ringBytes(order)
    const memory = new RingMemory(place.pages.buffer, place.byteOffset, sizeBytes)
    return { memory, layout: { sizeBytes, sliceBytes: sliceBytes(sizeBytes), peer } }
  }
  const inbound = role === 'server' ? side(left, orders.left) : side(right, orders.right)
  const outbound = role === 'server' ? side(right, orders.right) : side(left, orders.left)
  const reader = new RingReader(page, inbound.memory, inbound.layout)
  const writer = new RingWriter(page, outbound.memory, outbound.layout)
  return { page, reader, writer }
}
