// One connection on the server's side, from the client's request to a live channel. Whatever goes wrong, nothing of it
// stays: no pages, no keys, and the entry says why or is gone.
import { ACCEPTED, formatRefused, vchanPath } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { type ConduitError, isConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import { type ConduitContext, ownDomid } from './context.js'
import { serveWithinMeans } from './serve-within-means.js'
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
    channel = await serveWithinMeans(context, offer.client, offer)
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
