// The control page decoded once: what a handshake validates and what `inspect` shows. Every field is loaded exactly
// once into a local copy, so what is checked is what is used, however the peer rewrites the page meanwhile.
import {
  END_MARK,
  END_MARK_MAGIC,
  END_MARK_VERSION,
  endMarksOffset,
  grantTotal,
  OFFSET,
  ordersFault,
  type RingOrders,
} from '../../protocol/vchan-page.js'
import { PAGE_BYTES } from '../../protocol/xen.js'

export interface RingSnapshot {
  readonly order: number
  readonly prod: number
  readonly cons: number
  /** `prod - cons` modulo 2^32. */
  readonly used: number
  readonly grants: readonly number[]
}

export interface EndMarksSnapshot {
  readonly offset: number
  readonly version: number
  readonly client: number
  readonly server: number
}

export interface ControlPageSnapshot {
  readonly left: RingSnapshot
  readonly right: RingSnapshot
  readonly clientLive: number
  readonly serverLive: number
  /** What the server has asked the client to tell it: 1 write, 2 read. */
  readonly clientNotify: number
  readonly serverNotify: number
  /** Why the orders cannot be, or undefined; grants and end marks are then not decoded. */
  readonly fault: string | undefined
  /** Undefined where the server offers none. */
  readonly endMarks: EndMarksSnapshot | undefined
}

/** Decode the control page at the start of `buffer`. Copies it first; never throws for what it holds. */
export function snapshotControlPage(buffer: ArrayBuffer): ControlPageSnapshot {
  const bytes = new Uint8Array(PAGE_BYTES)
  bytes.set(new Uint8Array(buffer, 0, PAGE_BYTES))
  const view = new DataView(bytes.buffer)
  const orders: RingOrders = {
    left: view.getUint16(OFFSET.LEFT_ORDER, true),
    right: view.getUint16(OFFSET.RIGHT_ORDER, true),
  }
  const fault = ordersFault(orders)
  const grants = fault === undefined ? grantTotal(orders) : 0
  const grefs = Array.from({ length: grants }, (_, i) => view.getUint32(OFFSET.GRANTS + 4 * i, true))
  const leftCount = grants === 0 ? 0 : grantTotal({ left: orders.left, right: 0 })
  return {
    left: ring(view, orders.left, OFFSET.LEFT_PROD, OFFSET.LEFT_CONS, grefs.slice(0, leftCount)),
    right: ring(view, orders.right, OFFSET.RIGHT_PROD, OFFSET.RIGHT_CONS, grefs.slice(leftCount)),
    clientLive: view.getUint8(OFFSET.CLI_LIVE),
    serverLive: view.getUint8(OFFSET.SRV_LIVE),
    clientNotify: view.getUint8(OFFSET.CLI_NOTIFY),
    serverNotify: view.getUint8(OFFSET.SRV_NOTIFY),
    fault,
    endMarks: fault === undefined ? marks(view, endMarksOffset(orders)) : undefined,
  }
}

function ring(view: DataView, order: number, prodAt: number, consAt: number, grants: number[]): RingSnapshot {
  const prod = view.getUint32(prodAt, true)
  const cons = view.getUint32(consAt, true)
  return { order, prod, cons, used: (prod - cons) >>> 0, grants }
}

function marks(view: DataView, offset: number): EndMarksSnapshot | undefined {
  if (view.getUint16(offset + END_MARK.MAGIC_OFFSET, true) !== END_MARK_MAGIC) return undefined
  const version = view.getUint8(offset + END_MARK.VERSION_OFFSET)
  if (version !== END_MARK_VERSION) return undefined
  const client = view.getUint8(offset + END_MARK.CLIENT_OFFSET)
  return { offset, version, client, server: view.getUint8(offset + END_MARK.SERVER_OFFSET) }
}
