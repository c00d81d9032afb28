// Both halves of the handshake begin with a port and with pages that kick it when they go. Asked for together: where a
// substrate has to ask somebody, the round trips overlap.
import type { EvtchnPort } from '../../protocol/xen.js'
import type { EventChannel, Pages, UnmapNotify } from '../substrate/substrate.js'

/** Both or nothing; the port's failure is the one told. `byteOffset` is the byte that the pages clear when they go. */
export async function portAndPages<P extends Pages>(
  byteOffset: number,
  opening: Promise<EventChannel>,
  ask: (onUnmap: UnmapNotify) => Promise<P>,
): Promise<{ readonly event: EventChannel; readonly pages: P }> {
  const port: Promise<EvtchnPort> = opening.then((event) => event.port)
  // Whoever is asked may fail before looking at it.
  port.catch(() => undefined)
  const [event, pages] = await Promise.allSettled([opening, ask({ byteOffset, port })])
  if (event.status === 'rejected') {
    // A substrate that did not need the port after all.
    if (pages.status === 'fulfilled') pages.value.close()
    throw event.reason
  }
  if (pages.status === 'fulfilled') return { event: event.value, pages: pages.value }
  await event.value.close()
  throw pages.reason
}
