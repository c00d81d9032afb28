// The client's half of the handshake: bind, map, validate one snapshot of the page, map the rings. The last three
// steps (alive, arm, kick) are the channel's, once it can take the answer.
import { END_STATE, grantsFault, LIVE, OFFSET } from '../../protocol/vchan-page.js'
import type { Domid, EvtchnPort, Gref } from '../../protocol/xen.js'
import type { Access, EventChannel, Mapping, Substrate } from '../substrate/substrate.js'
import { type ChannelParts, controlWords, inPagePayload, ownPayload, type Payload } from './channel-parts.js'
import { type ControlPageSnapshot, type RingSnapshot, snapshotControlPage } from './control-page-snapshot.js'
import { portAndPages } from './port-and-pages.js'
import { badLayout, closed, corrupt, unfinishedLayout } from './vchan-error.js'

export interface ConnectOptions {
  /** Microseconds to spin before sleeping: 0 never, undefined as experience tells. */
  spinMicros?: number | undefined
}

/** What the server published about a channel. */
export interface Address {
  readonly peer: Domid
  readonly ringRef: Gref
  readonly port: EvtchnPort
}

/** @throws ConduitError VCHAN_LAYOUT, VCHAN_CORRUPT, VCHAN_CLOSED, GRANT_INVALID, MAPPING_FAILED, EVTCHN_INVALID, SUBSTRATE_LOST */
export async function connectParts(substrate: Substrate, address: Address): Promise<ChannelParts> {
  const { peer, ringRef, port } = address
  const { event, pages: control } = await portAndPages(OFFSET.CLI_LIVE, substrate.bind(peer, port), (onUnmap) =>
    substrate.map(peer, [ringRef], { access: 'rw', onUnmap }),
  )
  const pages = [control]
  try {
    return await mapRings(substrate, { peer, ringRef, port }, event, pages)
  } catch (error) {
    await event.close()
    for (const mapping of pages) mapping.close()
    throw error
  }
}

/** The same over a port that is bound, and stays the caller's when this fails. */
export async function connectOver(substrate: Substrate, address: Address, event: EventChannel): Promise<ChannelParts> {
  const onUnmap = { byteOffset: OFFSET.CLI_LIVE, port: event.port }
  const pages = [await substrate.map(address.peer, [address.ringRef], { access: 'rw', onUnmap })]
  try {
    return await mapRings(substrate, address, event, pages)
  } catch (error) {
    for (const mapping of pages) mapping.close()
    throw error
  }
}

/** `pages` holds the control page, last, and gets what is mapped beside it. */
async function mapRings(
  substrate: Substrate,
  { peer, ringRef, port }: Address,
  event: EventChannel,
  pages: Mapping[],
): Promise<ChannelParts> {
  const control = pages[0]!
  const snapshot = snapshotControlPage(control.buffer)
  checkSnapshot(snapshot, peer)
  const payload = async (ring: RingSnapshot, access: Access): Promise<Payload> => {
    const inside = inPagePayload(control, ring.order)
    if (inside !== undefined) return inside
    const mapping = await substrate.map(peer, ring.grants as Gref[], { access })
    pages.unshift(mapping)
    return ownPayload(mapping.buffer, firstByte(mapping), ring.order)
  }
  // Both at once; whatever comes of one, the other is settled before anybody cleans up.
  const [leftRing, rightRing] = await Promise.allSettled([payload(snapshot.left, 'rw'), payload(snapshot.right, 'r')])
  if (leftRing.status === 'rejected') throw leftRing.reason
  if (rightRing.status === 'rejected') throw rightRing.reason
  const [left, right] = [leftRing.value, rightRing.value]
  const orders = { left: snapshot.left.order, right: snapshot.right.order }
  const endMarks = snapshot.endMarks !== undefined && snapshot.endMarks.server !== END_STATE.UNKNOWN
  const rings = { orders, endMarks, words: controlWords(control), left, right }
  return { role: 'client', peer, ringRef, port, event, pages, control, ...rings }
}

function checkSnapshot(snapshot: ControlPageSnapshot, peer: Domid): void {
  if (snapshot.left.order === 0 || snapshot.right.order === 0) throw unfinishedLayout(peer)
  const grants = [...snapshot.left.grants, ...snapshot.right.grants]
  const fault = snapshot.fault ?? grantsFault(grants)
  if (fault !== undefined) throw badLayout(fault, peer)
  if (snapshot.serverLive !== LIVE.CONNECTED) throw closed(peer)
  const { endMarks } = snapshot
  if (endMarks !== undefined && endMarks.server > END_STATE.ENDED) {
    throw corrupt(`end state ${endMarks.server}`, peer)
  }
  for (const ring of [snapshot.left, snapshot.right]) {
    if (ring.used > 2 ** ring.order) throw corrupt(`prod ${ring.prod} with cons ${ring.cons}`, peer)
  }
}

/** The in-process substrate's mappings are windows: its pages may start inside their buffer. */
const firstByte = (mapping: Mapping & { readonly byteOffset?: number }): number => mapping.byteOffset ?? 0
