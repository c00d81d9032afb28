// The server's half of the handshake: one share of control page and rings, a port, the page filled in. Publishing
// ring-ref and port is the caller's; the client may come from the moment it has both.
import {
  chooseOrders,
  END_MARK,
  END_MARK_MAGIC,
  END_MARK_VERSION,
  END_STATE,
  endMarksOffset,
  grantCount,
  grantTotal,
  LIVE,
  NOTIFY,
  OFFSET,
  type RingOrders,
} from '../../protocol/vchan-page.js'
import { type Domid, PAGE_BYTES } from '../../protocol/xen.js'
import type { Share, Substrate } from '../substrate/substrate.js'
import { type ChannelParts, controlWords, inPagePayload, ownPayload, type Payload } from './channel-parts.js'
import { portAndPages } from './port-and-pages.js'

export interface ServeOptions {
  /** Smallest ring from client to server, in bytes, up to 1 MiB. */
  leftBytes: number
  /** Smallest ring from server to client, in bytes, up to 1 MiB. */
  rightBytes: number
  /** Microseconds to spin before sleeping: 0 never, undefined as experience tells. */
  spinMicros?: number | undefined
  /** Offer end marks, which a peer that does not know them never sees. True by default. */
  endMarks?: boolean | undefined
  /** For tests: exact orders, and where the indices start. */
  testing?: { orders?: RingOrders; startIndex?: number } | undefined
}

/** @throws RangeError for sizes over 1 MiB; ConduitError GRANT_LIMIT, SUBSTRATE_LOST */
export async function serveParts(substrate: Substrate, peer: Domid, options: ServeOptions): Promise<ChannelParts> {
  const orders = options.testing?.orders ?? chooseOrders(options.leftBytes, options.rightBytes)
  const { event, pages: share } = await portAndPages(OFFSET.SRV_LIVE, substrate.listen(peer), (onUnmap) =>
    substrate.share(peer, 1 + grantTotal(orders), { onUnmap }),
  )
  try {
    fillControlPage(share, orders, options)
    const payload = (order: number, firstPage: number): Payload =>
      inPagePayload(share, order) ?? ownPayload(share.buffer, firstPage * PAGE_BYTES, order)
    const left = payload(orders.left, 1)
    const right = payload(orders.right, 1 + grantCount(orders.left))
    const rings = { orders, endMarks: options.endMarks !== false, words: controlWords(share), left, right }
    const [ringRef] = share.grefs
    const common = { peer, ringRef: ringRef!, port: event.port, event, pages: [share], control: share }
    return { role: 'server', ...common, ...rings }
  } catch (error) {
    await event.close()
    share.close()
    throw error
  }
}

/** Plain stores are enough but for the last: nobody can map the page before its reference is known. */
function fillControlPage(share: Share, orders: RingOrders, options: ServeOptions): void {
  const view = new DataView(share.buffer, 0, PAGE_BYTES)
  const start = options.testing?.startIndex ?? 0
  for (const index of [OFFSET.LEFT_CONS, OFFSET.LEFT_PROD, OFFSET.RIGHT_CONS, OFFSET.RIGHT_PROD]) {
    view.setUint32(index, start, true)
  }
  view.setUint16(OFFSET.LEFT_ORDER, orders.left, true)
  view.setUint16(OFFSET.RIGHT_ORDER, orders.right, true)
  for (const [i, gref] of share.grefs.slice(1).entries()) view.setUint32(OFFSET.GRANTS + 4 * i, gref, true)
  if (options.endMarks !== false) {
    const marks = endMarksOffset(orders)
    view.setUint16(marks + END_MARK.MAGIC_OFFSET, END_MARK_MAGIC, true)
    view.setUint8(marks + END_MARK.VERSION_OFFSET, END_MARK_VERSION)
    view.setUint8(marks + END_MARK.SERVER_OFFSET, END_STATE.OPEN)
  }
  view.setUint8(OFFSET.CLI_LIVE, LIVE.AWAITED)
  view.setUint8(OFFSET.CLI_NOTIFY, NOTIFY.WRITE)
  Atomics.store(new Uint8Array(share.buffer, 0, PAGE_BYTES), OFFSET.SRV_LIVE, LIVE.CONNECTED)
}
