// The vchan control page as bytes: where each field lies, which rings can be, how their sizes are chosen.
// Pure arithmetic; who may write which field, and when, is said in protocol/vchan.md.
import { GREF_FIRST, PAGE_BYTES } from './xen.js'

/** Byte offsets in the control page (`xen/include/public/io/libxenvchan.h`, struct vchan_interface). */
export const OFFSET = {
  LEFT_CONS: 0,
  LEFT_PROD: 4,
  RIGHT_CONS: 8,
  RIGHT_PROD: 12,
  LEFT_ORDER: 16,
  RIGHT_ORDER: 18,
  CLI_LIVE: 20,
  SRV_LIVE: 21,
  CLI_NOTIFY: 22,
  SRV_NOTIFY: 23,
  GRANTS: 24,
} as const

/** Notify bits: "tell me when you have written", "tell me when you have read" (libxenvchan.h, VCHAN_NOTIFY_*). */
export const NOTIFY = { WRITE: 1, READ: 2 } as const
/** Values of a live byte (libxenvchan.h); `AWAITED` in cli_live only, until the client has come. */
export const LIVE = { DEAD: 0, CONNECTED: 1, AWAITED: 2 } as const

/** Ring orders: 1 KiB at offset 1024, 2 KiB at offset 2048, else whole granted pages up to 1 MiB (`tools/libs/vchan/init.c`). */
export const ORDER = { SMALL: 10, LARGE: 11, PAGE: 12, MAX: 20 } as const
/** Largest ring in bytes (`tools/libs/vchan/init.c`, MAX_RING_SIZE). */
export const RING_BYTES_MAX = 1 << ORDER.MAX

/**
 * End marks: our own 8 bytes behind the grant list, unknown to libxenvchan, which zeroes the page and never looks
 * there. Offsets count from {@link endMarksOffset}.
 */
export const END_MARK = { MAGIC_OFFSET: 0, VERSION_OFFSET: 2, CLIENT_OFFSET: 4, SERVER_OFFSET: 5, BYTES: 8 } as const
export const END_MARK_MAGIC = 0xc0d1
export const END_MARK_VERSION = 1
/** A side's end state: knows nothing of end marks; knows them; has written its last byte. Only ever grows. */
export const END_STATE = { UNKNOWN: 0, OPEN: 1, ENDED: 2 } as const

/** The orders of the two rings: left carries client to server, right server to client. */
export interface RingOrders {
  readonly left: number
  readonly right: number
}

/** Bytes in a ring of this order. */
export const ringBytes = (order: number): number => 2 ** order

/** Granted pages that a ring of this order needs beside the control page. */
export const grantCount = (order: number): number => (order < ORDER.PAGE ? 0 : 2 ** (order - ORDER.PAGE))

/** Grant references listed in the control page: all of the left ring, then all of the right. */
export const grantTotal = (orders: RingOrders): number => grantCount(orders.left) + grantCount(orders.right)

/** Where a ring of order 10 or 11 lies in the control page; such a ring's offset equals its size. */
export function inPageOffset(order: number): number | undefined {
  return order === ORDER.SMALL || order === ORDER.LARGE ? ringBytes(order) : undefined
}

/** The end marks' offset: right behind the grant list, on an 8-byte boundary. */
export const endMarksOffset = (orders: RingOrders): number =>
  Math.ceil((OFFSET.GRANTS + 4 * grantTotal(orders)) / 8) * 8

/** Why two orders cannot share a control page, or undefined when they can. */
export function ordersFault({ left, right }: RingOrders): string | undefined {
  for (const order of [left, right]) {
    if (!Number.isInteger(order) || order < ORDER.SMALL || order > ORDER.MAX)
      return `ring order ${order} is not in 10…20`
  }
  if (left === right && left < ORDER.PAGE) return `both rings have order ${left} and would lie on the same bytes`
  const lowest = Math.min(left, right)
  const room = (inPageOffset(lowest) ?? PAGE_BYTES) - OFFSET.GRANTS
  const needed = 4 * grantTotal({ left, right })
  if (needed > room)
    return `orders ${left} and ${right}: the grant list overlaps the ring at offset ${ringBytes(lowest)}`
  return undefined
}

/** Why a list of grant references from a peer cannot be used, or undefined. */
export function grantsFault(grefs: readonly number[]): string | undefined {
  const reserved = grefs.find((gref) => gref < GREF_FIRST)
  if (reserved !== undefined) return `grant reference ${reserved} is reserved`
  if (new Set(grefs).size !== grefs.length) return 'the same grant reference is listed twice'
  return undefined
}

/** Smallest order of whole pages that holds `bytes` (init.c, min_order). */
const pageOrder = (bytes: number): number => Math.max(ORDER.PAGE, Math.ceil(Math.log2(Math.max(bytes, 1))))

/**
 * The orders that a libxenvchan server picks for the sizes asked for (init.c, libxenvchan_server_init).
 * @throws RangeError when a size is negative, no integer, or over 1 MiB.
 */
export function chooseOrders(leftBytes: number, rightBytes: number): RingOrders {
  for (const bytes of [leftBytes, rightBytes]) {
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > RING_BYTES_MAX) {
      throw new RangeError(`a ring of ${bytes} bytes is not an integer in 0…${RING_BYTES_MAX}`)
    }
  }
  const small = ringBytes(ORDER.SMALL)
  const large = ringBytes(ORDER.LARGE)
  if (leftBytes <= small && rightBytes <= large) return { left: ORDER.SMALL, right: ORDER.LARGE }
  if (leftBytes <= large && rightBytes <= small) return { left: ORDER.LARGE, right: ORDER.SMALL }
  if (leftBytes <= large) return { left: ORDER.LARGE, right: pageOrder(rightBytes) }
  if (rightBytes <= large) return { left: pageOrder(leftBytes), right: ORDER.LARGE }
  return { left: pageOrder(leftBytes), right: pageOrder(rightBytes) }
}
