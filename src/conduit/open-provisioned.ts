// The first client of a server that may not run yet: its toolstack published the keys for it. Everything that needs the store is
// under way before the server rings; between that and the first byte lies no request.
import { RING_REF_KEY } from '../../protocol/conduit.js'
import { ConduitError } from '../errors.js'
import { VchanChannel } from '../vchan/channel.js'
import type { ConduitContext } from './context.js'
import { startDeadline, untilAborted } from './deadline.js'
import type { ChannelTarget } from './open-channel.js'
import { vanished } from './refusal.js'
import { readKeys, removeTaken } from './vchan-keys.js'

/** The first exchange has the store, and the processor that it runs on, to itself. */
const QUIET_MS = 100

export interface ProvisionedTarget extends ChannelTarget {
  /** Of the keys. */
  readonly path: string
}

/**
 * @throws ConduitError ECONNREFUSED when another client was first, ECONNRESET when the server's domain has gone, VCHAN_LAYOUT,
 * MAPPING_FAILED, …; the signal's reason
 */
export async function openProvisioned(
  context: ConduitContext,
  target: ProvisionedTarget,
  signal: AbortSignal,
): Promise<VchanChannel> {
  const { server, keys, endpoint, spinMicros, path } = target
  let over = false
  const limit = startDeadline(context.clock, { signal, timeoutMs: 0, onTimeout: neverHappens })
  const stopWatching = watchForLoss(context, target, { isOver: () => over, onLost: (error) => limit.abort(error) })
  const { background, clock, store } = context
  const address = { peer: server, ringRef: keys.ringRef, port: keys.port }
  const opening = VchanChannel.connectProvisioned(context.substrate, address, { spinMicros, signal: limit.signal })
  try {
    const channel = await untilAborted(opening, limit.signal)
    background.afterPause(clock, QUIET_MS, () => {
      stopWatching()
      // For nobody else any more. A guest may not, and has a toolstack for it.
      return removeTaken(store, path, keys)
    })
    return channel
  } catch (error) {
    stopWatching()
    if (limit.signal.aborted) background.run(opening.then((channel) => channel.close()))
    throw vanished(error, endpoint, server)
  } finally {
    over = true
    limit.clear()
  }
}

/** Domain 0 hears of the domain's end; others see its keys go with it. Until the function returned is called. */
function watchForLoss(
  { store, domains, background }: ConduitContext,
  { server, path, endpoint }: ProvisionedTarget,
  { isOver, onLost }: { readonly isOver: () => boolean; readonly onLost: (error: ConduitError) => void },
): () => void {
  const lost = (): void =>
    onLost(
      new ConduitError('ECONNRESET', `domain ${server} has gone before it served ${endpoint}`, {
        endpoint,
        domid: server,
        hint: 'it was destroyed, or ended while it booted: connect again',
      }),
    )
  const look = async (): Promise<void> => {
    // A server takes its keys away once it has its client.
    if (!isOver() && (await readKeys(store, path, server)) === undefined) lost()
  }
  const forget = domains.onGone(server, lost)
  // The key itself: the directory above it may not be this domain's to read, and then its removal is not either.
  const watch = store.watch(`${path}/${RING_REF_KEY}`, () => background.run(look()))
  background.run(watch)
  return () => {
    forget()
    background.run(watch.then((registered) => registered.close()))
  }
}

function neverHappens(): never {
  throw new Error('a limit without a timeout has timed out')
}
