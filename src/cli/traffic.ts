// Adds up what the process's connections have carried, those that are open and those that have ended.
import type { ConduitSocket } from '../index.js'

/** The channel below a connection. */
export type Channel = NonNullable<ConduitSocket['channel']>
/** A control page, decoded once. */
export type ControlPage = ReturnType<Channel['inspect']>

export interface TrafficTotals {
  readonly bytesIn: number
  readonly bytesOut: number
  /** Events received, events sent. */
  readonly wakeups: number
  readonly notifiesSent: number
  readonly spinHits: number
  readonly spinMisses: number
}

/** Shares of the rings in use, 0 to 1. */
export interface RingFill {
  readonly in: number
  readonly out: number
}

const NOTHING: TrafficTotals = { bytesIn: 0, bytesOut: 0, wakeups: 0, notifiesSent: 0, spinHits: 0, spinMisses: 0 }

export class Traffic {
  readonly #open = new Set<ConduitSocket>()
  #ended = NOTHING
  #connections = 0
  #lastPeer: number | undefined

  watch(socket: ConduitSocket): void {
    this.#connections++
    this.#lastPeer = socket.channel?.peer
    this.#open.add(socket)
    socket.once('close', () => {
      if (this.#open.delete(socket)) this.#ended = sum(this.#ended, countersOf(socket))
    })
  }

  /** Connections so far. */
  get connections(): number {
    return this.#connections
  }

  /** Domid of the peer that came last. */
  get lastPeer(): number | undefined {
    return this.#lastPeer
  }

  totals(): TrafficTotals {
    return [...this.#open].map(countersOf).reduce(sum, this.#ended)
  }

  /** Below the connections that are open now, in the order they came. */
  openChannels(): Channel[] {
    return [...this.#open].flatMap(({ channel }) =>
      channel === undefined || channel.state === 'closed' ? [] : [channel],
    )
  }

  /** Of the connection that was opened last; undefined when none is open. */
  ringFill(): RingFill | undefined {
    const channel = this.openChannels().at(-1)
    if (channel === undefined) return undefined
    const { left, right } = channel.inspect()
    const [inRing, outRing] = channel.role === 'client' ? [right, left] : [left, right]
    return { in: inRing.used / channel.readRingBytes, out: outRing.used / channel.writeRingBytes }
  }
}

function countersOf({ counters }: ConduitSocket): TrafficTotals {
  const { bytesRead, bytesWritten, wakeups, notifiesSent, spinHits, spinMisses } = counters
  return { bytesIn: bytesRead, bytesOut: bytesWritten, wakeups, notifiesSent, spinHits, spinMisses }
}

const sum = (a: TrafficTotals, b: TrafficTotals): TrafficTotals => ({
  bytesIn: a.bytesIn + b.bytesIn,
  bytesOut: a.bytesOut + b.bytesOut,
  wakeups: a.wakeups + b.wakeups,
  notifiesSent: a.notifiesSent + b.notifiesSent,
  spinHits: a.spinHits + b.spinHits,
  spinMisses: a.spinMisses + b.spinMisses,
})
