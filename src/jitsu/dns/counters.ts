// What a DNS server counts, for metrics. Each only grows.

/** Numbers of a DNS server since it began to listen. */
export interface DnsCounters {
  /** Datagrams that came. */
  udpQueries: number
  /** Messages that came over TCP. */
  tcpQueries: number
  /** Connections that came. */
  tcpConnections: number
  /** Connections that were closed because there were too many, or because the client was slow or idle. */
  tcpClosed: number
  /** Answers by code, such as `NOERROR`. */
  answers: Record<string, number>
  /** Answers over UDP that did not fit. */
  truncated: number
  /** Messages that were met with silence. */
  ignored: number
  /** Queries that waited, for a service or a forwarder. */
  waited: number
  /** Copies of a query that waited already. */
  repeated: number
  /** Queries that found too many waiting. */
  crowdedOut: number
  /** Answers that the rate limit dropped. */
  rateDropped: number
  /** Answers that the rate limit sent truncated. */
  rateSlipped: number
  /** Questions that forwarders were asked. */
  forwarded: number
  /** Queries for names of others that were answered from memory. */
  cacheHits: number
  /** Questions that every forwarder failed. */
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
