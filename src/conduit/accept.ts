// One connection on the server's side, from the client's request to a live channel. Whatever goes wrong, nothing of it
// stays: no pages, no keys, and the entry says why or is gone.
import { ACCEPTED, formatRefused, vchanPath } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import { VchanChannel } from '../vchan/channel.js'
import { type ConduitContext, ownDomid } from './context.js'
import { publishKeys, removeKeys } from './vchan-keys.js'

export interface Offer {
  readonly client: Domid
  readonly connectionId: string
  /** Where the client's request lies and the answer goes. */
  readonly entryPath: string
  readonly ringBytes: number
  readonly spinMicros: number | undefined
  /** The pages are there and the client may come. */
  onServed(channel: VchanChannel): void
}

/** Ring sizes to fall back to while grants run short; 0 is libxenvchan's in-page pair, which costs one grant. */
const SMALLER_RINGS = [64 << 10, 16 << 10, 0]

/** @throws ConduitError what the entry says; the signal's reason or what the client did, after which the entry is gone. */
export async function acceptConnection(
  context: ConduitContext,
  offer: Offer,
  signal: AbortSignal,
): Promise<VchanChannel> {
  const { store, background } = context
  const server = ownDomid(context)
  const path = `${vchanPath(server, offer.client)}/${offer.connectionId}`
  let channel: VchanChannel | undefined
  try {
    channel = await serveWithinMeans(context, offer)
    offer.onServed(channel)
    signal.throwIfAborted()
    const { ringRef, port } = channel
    const published = publishKeys(store, { path, server, client: offer.client, ringRef, port })
    // On the same connection after the keys: who reads `accepted` finds them whole.
    const accepted = store.write(offer.entryPath, ACCEPTED)
    await Promise.all([published, accepted, channel.connected({ signal })])
    background.later(() => removeKeys(store, path))
    return channel
  } catch (error) {
    // A channel fails by what its client does to it: who has come has taken the request back, and would never read a
    // second answer. Enough of them fill its directory, and then the registrar turns it out.
    const answered = channel?.error !== undefined
    if (channel !== undefined) {
      background.run(channel.close())
      background.run(removeKeys(store, path))
    }
    if (signal.aborted || answered) background.run(store.remove(offer.entryPath))
    else refuseConnection(context, offer.entryPath, isConduitError(error) ? error.code : 'SYSTEM')
    throw error
  }
}

/** Answer a request with a code. */
export function refuseConnection(context: ConduitContext, entryPath: string, code: ConduitError['code']): void {
  context.background.run(context.store.write(entryPath, formatRefused(code)))
}

async function serveWithinMeans(context: ConduitContext, offer: Offer): Promise<VchanChannel> {
  const sizes = [offer.ringBytes, ...SMALLER_RINGS.filter((bytes) => bytes < offer.ringBytes)]
  for (const bytes of sizes) {
    try {
      const spin = offer.spinMicros === undefined ? {} : { spinMicros: offer.spinMicros }
      const rings = bytes === 0 ? { leftBytes: 1024, rightBytes: 2048 } : { leftBytes: bytes, rightBytes: bytes }
      return await VchanChannel.serve(context.substrate, offer.client, { ...rings, ...spin })
    } catch (error) {
      if (!isConduitError(error, 'GRANT_LIMIT') || bytes === 0) throw error
    }
  }
  throw new ConduitError('GRANT_LIMIT', 'no size of ring fits into the grants that are left')
}
