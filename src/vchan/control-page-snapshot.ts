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

/** One ring as the control page describes it. */
export interface RingSnapshot {
  /** The size as a power of two: 10 (1 KiB) to 20 (1 MiB) in a page that is valid. */
  readonly order: number
  /** Bytes ever written, modulo 2^32. */
  readonly prod: number
  /** Bytes ever read, modulo 2^32. */
  readonly cons: number
  /** `prod - cons` modulo 2^32. */
  readonly used: number
  /** References of the ring's pages, in order; none for orders 10 and 11, which lie in the control page. */
  readonly grants: readonly number[]
}

/** The end marks: eight bytes behind the grant list that tell an end from a crash (protocol/vchan.md). */
export interface EndMarksSnapshot {
  /** Where they lie, in bytes from the start of the page; a multiple of 8. */
  readonly offset: number
  /** 1: a page with another version is decoded as one without end marks. */
  readonly version: number
  /** The client's state: 0 knows nothing of end marks, 1 knows them, 2 has written its last byte. */
  readonly client: number
  /** The server's state, likewise. */
  readonly server: number
}

/**
 * A control page decoded from one copy of it. Nothing in it is checked: it shows what the peers wrote, impossible
 * values included.
 */
export interface ControlPageSnapshot {
  /** The ring from client to server. */
  readonly left: RingSnapshot
  /** The ring from server to client. */
  readonly right: RingSnapshot
  /** 1 alive, 2 has not come yet, anything else dead. */
  readonly clientLive: number
  /** 1 alive, anything else dead. */
  readonly serverLive: number
  /** What the server has asked the client to tell it: 1 write, 2 read. */
  readonly clientNotify: number
  /** What the client has asked the server to tell it, likewise. */
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
