// Asks DNS servers for one name and type: UDP, then TCP where the answer does not fit. Follows no aliases and believes no signatures.
import {
  DNS_CLASS_IN,
  DNS_SAFE_BYTES,
  DNS_TYPE,
  type DnsRecord,
  type DnsType,
  decodeDnsMessage,
  dnsRcodeName,
  encodeDnsQuery,
  nameLabels,
  rcodeOf,
} from '../../protocol/dns.js'
import { type Clock, systemClock } from '../conduit/clock.js'
import { startDeadline } from '../conduit/deadline.js'
import { ConduitError, isConduitError } from '../errors.js'
import { malformed, noAnswer, refused } from './dns-failure.js'
import { type DnsServerAddress, parseDnsServerAddress } from './dns-server-address.js'
import { exchangeOverTcp } from './dns-tcp-exchange.js'
import { exchangeOverUdp } from './dns-udp-exchange.js'

export type { DnsRecord, DnsType } from '../../protocol/dns.js'

/** What a server said. */
export interface DnsAnswers {
  /** `NOERROR` or `NXDOMAIN`; with the first and no answers the name has nothing of that type. */
  readonly rcode: string
  /** With the aliases on the way. */
  readonly answers: readonly DnsRecord[]
  /** Nothing here checks signatures. */
  readonly authenticated: false
  /** Who answered, as `ADDR:PORT`. */
  readonly server: string
}

/** Whom to ask, and what. */
export interface DnsQueryOptions {
  /** `ADDR:PORT` or `[V6]:PORT`, asked one after the other. */
  readonly servers: readonly string[]
  /** In ASCII; whether the last dot is there makes no difference. */
  readonly name: string
  /** Of the records that are wanted; aliases come along. */
  readonly type: DnsType
  /** Ends the asking with its reason. */
  readonly signal?: AbortSignal | undefined
  /** For all servers together, 10,000 by default: a directory answers once it has booted the service. */
  readonly timeoutMs?: number | undefined
  /** For tests. */
  readonly clock?: Clock | undefined
}

/** As glibc's resolver, which repeats and then gives up on a server, but no sooner: a directory may be booting. */
const REPEAT_AFTER_MS = 1000
const TIMEOUT_MS = 10_000

/**
 * Asks each server until one knows: an answer, an empty one or NXDOMAIN. The time is shared out among the servers.
 * @throws ConduitError RESOLVER when all failed, ETIMEDOUT when none answered, EINVAL for an address or a name that cannot
 * be one; RangeError without servers; the signal's reason
 */
export async function queryDns(options: DnsQueryOptions): Promise<DnsAnswers> {
  const { name, type, signal, clock = systemClock, timeoutMs = TIMEOUT_MS } = options
  const servers = options.servers.map((server) => parseDnsServerAddress(server))
  if (servers.length === 0) throw new RangeError('no DNS servers to ask')
  const query = queryBytes(name, type)
  const failures: ConduitError[] = []
  for (const server of servers) {
    const limitMs = timeoutMs / servers.length
    const deadline = startDeadline(clock, {
      signal,
      timeoutMs: limitMs,
      onTimeout: () => noAnswer(server.text, name, limitMs),
    })
    try {
      return await ask(server, { name, query, signal: deadline.signal, clock })
    } catch (error) {
      if (signal?.aborted === true || !isConduitError(error)) throw error
      failures.push(error)
    } finally {
      deadline.clear()
    }
  }
  throw summary(failures, servers, name, timeoutMs)
}

function queryBytes(name: string, type: DnsType): Buffer {
  if (nameLabels(name) === undefined) {
    throw new ConduitError('EINVAL', `${JSON.stringify(name)} cannot be a domain name`, {
      endpoint: name,
      hint: 'labels of 1 to 63 characters with dots between, 253 in all; international names in their xn-- form',
    })
  }
  const edns = { udpBytes: DNS_SAFE_BYTES, version: 0, dnssecOk: false, extendedRcode: 0, options: [] }
  return encodeDnsQuery({ name, type: DNS_TYPE[type], class: DNS_CLASS_IN }, edns)
}

interface Ask {
  readonly name: string
  readonly query: Buffer
  readonly signal: AbortSignal
  readonly clock: Clock
}

async function ask(server: DnsServerAddress, { name, query, signal, clock }: Ask): Promise<DnsAnswers> {
  const overUdp = await exchangeOverUdp({ server, query, signal, clock, repeatAfterMs: REPEAT_AFTER_MS })
  const bytes = overUdp === 'use-tcp' ? await exchangeOverTcp({ server, query, signal }) : overUdp
  const message = decodeDnsMessage(bytes)
  if ('problem' in message) throw malformed(server, message.problem)
  const rcode = dnsRcodeName(rcodeOf(message))
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') throw refused(server, name, rcode)
  return { rcode, answers: message.answers, authenticated: false, server: server.text }
}

/** Silence only when there was nothing but silence; otherwise what was said first. */
function summary(
  failures: readonly ConduitError[],
  servers: readonly DnsServerAddress[],
  name: string,
  timeoutMs: number,
): ConduitError {
  const said = failures.find(({ code }) => code !== 'ETIMEDOUT')
  if (said !== undefined) return said
  return noAnswer(servers.map(({ text }) => text).join(', '), name, timeoutMs)
}
