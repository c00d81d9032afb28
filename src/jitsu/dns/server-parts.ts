// What the UDP and the TCP half of a server share.
import { DNS_FLAG, dnsRcodeName } from '../../../protocol/dns.js'
import type { Clock } from '../../conduit/clock.js'
import type { DnsCounters } from './counters.js'
import type { RateLimit } from './rate-limit.js'
import type { Responder } from './responder.js'
import type { WaitingRoom } from './waiting-room.js'

export interface ServerParts {
  readonly responder: Responder
  readonly waiting: WaitingRoom
  readonly rateLimit: RateLimit | undefined
  readonly counters: DnsCounters
  /** Whether there are forwarders. */
  readonly recursionAvailable: boolean
  readonly clock: Clock
  /** Monotonic. */
  readonly nowMs: () => number
}

export function countAnswer(counters: DnsCounters, rcode: number, message: Buffer): void {
  const name = dnsRcodeName(rcode)
  counters.answers[name] = (counters.answers[name] ?? 0) + 1
  if ((message.readUInt16BE(2) & DNS_FLAG.TC) !== 0) counters.truncated++
}
