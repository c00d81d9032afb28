// What a DNS server counts, for metrics. Each only grows.

export interface DnsCounters {
  /** Messages that came, by transport, and connections. */
  udpQueries: number
  tcpQueries: number
  tcpConnections: number
  /** Connections that were closed because there were too many, or because the client was slow or idle. */
  tcpClosed: number
  /** Answers by code, those over UDP that were truncated, and messages that were met with silence. */
  answers: Record<string, number>
  truncated: number
  ignored: number
  /** Queries that waited for a service, copies of one that waited already, and those for which there was no room. */
  waited: number
  repeated: number
  crowdedOut: number
  /** Answers that the rate limit dropped, or sent truncated. */
  rateDropped: number
  rateSlipped: number
  /** Queries that were passed on, answered from the cache, and those that every forwarder failed. */
  forwarded: number
  cacheHits: number
  forwardFailures: number
}

export const newCounters = (): DnsCounters => ({
  udpQueries: 0,
  tcpQueries: 0,
  tcpConnections: 0,
  tcpClosed: 0,
  answers: {},
  truncated: 0,
  ignored: 0,
  waited: 0,
  repeated: 0,
  crowdedOut: 0,
  rateDropped: 0,
  rateSlipped: 0,
  forwarded: 0,
  cacheHits: 0,
  forwardFailures: 0,
})
