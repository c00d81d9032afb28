// Ring sizes when grants are short: gntalloc's limit is for a whole domain, and a connection with small rings is worth more
// than none. What nobody asked for shrinks early, what was asked for only when it is refused.
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { GrantBudget } from '../substrate/substrate.js'
import { VchanChannel } from '../vchan/channel.js'
import type { ConduitContext } from './context.js'

/** libxenvchan's in-page pair of 1 and 2 KiB, which costs no grant but the control page's. */
const IN_PAGE_BYTES = 1024
/** To fall back to, largest first: once grants are refused, the last of them are for as many connections as can be. */
const SMALLER_RINGS = [64 << 10, 16 << 10, IN_PAGE_BYTES]
/** Of the limit, what must be left for rings of so many bytes that nobody asked for. Half is kept for the in-page rings. */
const DEFAULT_RINGS: readonly [leftOver: number, bytes: number][] = [
  [3 / 4, Number.POSITIVE_INFINITY],
  [5 / 8, 16 << 10],
  [1 / 2, 4 << 10],
  [0, IN_PAGE_BYTES],
]

/** `usual` bytes, or fewer where many of the grants are taken. */
export function affordableRingBytes(usual: number, { limit, held }: GrantBudget): number {
  const left = Number.isFinite(limit) ? (limit - held) / limit : 1
  const [, most = IN_PAGE_BYTES] = DEFAULT_RINGS.find(([leftOver]) => left > leftOver) ?? []
  return Math.min(usual, most)
}

/** @throws ConduitError GRANT_LIMIT when not even one page can be had, EMFILE, SUBSTRATE_LOST */
export async function serveWithinMeans(
  context: ConduitContext,
  client: Domid,
  rings: { readonly ringBytes: number; readonly spinMicros: number | undefined },
): Promise<VchanChannel> {
  const { ringBytes, spinMicros } = rings
  const sizes = [ringBytes, ...SMALLER_RINGS.filter((bytes) => bytes < ringBytes)]
  let refusal: unknown
  for (const bytes of sizes) {
    try {
      return await VchanChannel.serve(context.substrate, client, { leftBytes: bytes, rightBytes: bytes, spinMicros })
    } catch (error) {
      if (!isConduitError(error, 'GRANT_LIMIT')) throw error
      refusal = error
    }
  }
  throw refusal ?? new ConduitError('GRANT_LIMIT', 'no size of ring fits into the grants that are left')
}
