// From keys to a live channel on the client's side, with what an abort or a vanished server leaves cleared away.
import type { Domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import { VchanChannel } from '../vchan/channel.js'
import type { ConduitContext } from './context.js'
import { untilAborted } from './deadline.js'
import { pause } from './outages.js'
import { vanished } from './refusal.js'
import type { VchanKeys } from './vchan-keys.js'

export interface ChannelTarget {
  readonly server: Domid
  readonly keys: VchanKeys
  /** The address, for errors. */
  readonly endpoint: string
  readonly spinMicros: number | undefined
}

/** Between looks at a control page that its server has not filled in yet. */
const UNFINISHED_PAUSE_MS = 5

/** @throws ConduitError ECONNRESET when the server has gone, VCHAN_LAYOUT, MAPPING_FAILED, …; the signal's reason. */
export async function openChannel(
  context: ConduitContext,
  target: ChannelTarget,
  signal: AbortSignal,
): Promise<VchanChannel> {
  const { server, keys, endpoint, spinMicros } = target
  for (;;) {
    const opening = VchanChannel.connect(context.substrate, server, keys.ringRef, keys.port, { spinMicros })
    try {
      return await untilAborted(opening, signal)
    } catch (error) {
      if (signal.aborted) {
        context.background.run(opening.then((channel) => channel.close()))
        throw error
      }
      const unfinished = isConduitError(error, 'VCHAN_LAYOUT') && error.errno === 'EAGAIN'
      if (!unfinished) throw vanished(error, endpoint, server)
    }
    await pause(context, UNFINISHED_PAUSE_MS, signal)
  }
}
