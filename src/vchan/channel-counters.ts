// What a channel counts, for people, meters and benchmarks: the type only.

/** What a channel has done since it was opened, as it was at the moment of asking. */
export interface ChannelCounters {
  /** Bytes taken out of the ring. In message mode the 4-byte lengths count as well. */
  readonly bytesRead: number
  /** Bytes put into the ring; the peer may not have read them yet. */
  readonly bytesWritten: number
  /** Events sent to the peer. */
  readonly notifiesSent: number
  /** Events received. */
  readonly wakeups: number
  /** Spins that saw the peer move: each spared a sleep and a wake-up. */
  readonly spinHits: number
  /** Spins that saw nothing and were followed by a sleep: processor time for nothing. */
  readonly spinMisses: number
  /** Times the peer moved between a look and the request to be told: lost wake-ups, but for the second look. */
  readonly lateLooks: number
}
