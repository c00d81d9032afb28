// The store's word that a peer's domain is gone, for peers whose substrate does not tell: a destroyed Xen domain
// clears no live byte. Everything that can still be read is read first.
import type { ConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import type { Clock } from './clock.js'

/** An open channel and how to break its connection off. */
export interface OpenConnection {
  readonly channel: VchanChannel
  /** Set by whoever makes a socket of the channel. */
  onPeerLost: (error: ConduitError) => void
}

/** The substrate's own notice comes first where there is one: it knows whether the peer had ended. */
const GRACE_MS = 1000

/** Break `connection` off with `error` once it has been read empty, unless it ends by itself. */
export function breakOffWhenDrained(clock: Clock, connection: OpenConnection, error: ConduitError): void {
  const { channel } = connection
  const look = () => {
    if (channel.state === 'closed' || channel.peerGone || isOver(channel)) return
    if (hasData(channel)) wait()
    else connection.onPeerLost(error)
  }
  const wait = () => clock.after(GRACE_MS, look).unref()
  wait()
}

/** Nothing is left that the peer would have to do. Where only it had ended, a writer here still waits for it. */
function isOver({ inbound, outbound }: VchanChannel): boolean {
  return inbound === 'ended' && outbound === 'ended'
}

/** A channel that fails while it is looked at has told its owner. */
function hasData(channel: VchanChannel): boolean {
  try {
    return channel.dataReady > 0
  } catch {
    return false
  }
}
