// The directory's DNS server: zones made of its services, a forwarder for the rest, one address over UDP and TCP. Starts nothing itself:
// a query summons through the directory.
import { performance } from 'node:perf_hooks'
import { type Clock, systemClock } from '../../conduit/clock.js'
import { ConduitError, isConduitError } from '../../errors.js'
import { type DnsServerAddress, parseDnsServerAddress } from '../../resolver/dns-server-address.js'
import type { Services } from '../summon.js'
import { type DnsCounters, newCounters } from './counters.js'
import { Forwarder } from './forwarder.js'
import { RateLimit, type RateLimitOptions } from './rate-limit.js'
import { Responder } from './responder.js'
import type { ServerParts } from './server-parts.js'
import { TcpListener, type TcpListenerLimits } from './tcp-listener.js'
import { UdpListener } from './udp-listener.js'
import { WaitingRoom } from './waiting-room.js'
import { buildZones } from './zone-builder.js'
import type { Zones } from './zones.js'

/** What {@link DnsServer.listen} needs, and may be told. */
export interface DnsServerOptions {
  /** `ADDR:PORT` or `[V6]:PORT`, for UDP and TCP; port 0 lets the kernel choose. */
  readonly listen: string
  /** Where the names come from. */
  readonly services: Services
  /** `/conduit/host-id`, which tells clients whether they are on this host; without it DNS says nothing of conduits. */
  readonly hostId?: string | undefined
  /** Seconds, 60 by default: how long clients may keep an answer. */
  readonly ttl?: number
  /** `ADDR:PORT` or `[V6]:PORT` of servers that know the other names, in the order in which they are asked. */
  readonly forward?: readonly string[]
  /** Against amplification, over UDP; false for none. */
  readonly rateLimit?: RateLimitOptions | false
  /** Queries that may wait for services and forwarders at one time, 10,000 by default; more are SERVFAIL. */
  readonly maxWaiting?: number
  /** TCP connections at one time, 256 by default. */
  readonly maxConnections?: number
  /** Milliseconds after which a connection without queries is closed, 10,000 by default. */
  readonly idleMs?: number
  /** For tests. */
  readonly clock?: Clock
  /** Monotonic milliseconds, for tests. */
  readonly nowMs?: () => number
}

const TTL_DEFAULT = 60
/** RFC 2181 8 */
const TTL_MAX = 0x7fffffff
const MAX_WAITING = 10_000
const MAX_CONNECTIONS = 256
/** A few seconds (RFC 7766 6.2.3). */
const IDLE_MS = 10_000
/** One client must not fill the waiting room through one connection. */
const OUTSTANDING_MAX = 128
/** A port that UDP was given may be taken over TCP. */
const PORT_ATTEMPTS = 32

/** Answers for the names of a directory's services. */
export class DnsServer {
  /** What happened so far. */
  readonly counters: DnsCounters
  readonly #udp: UdpListener
  readonly #tcp: TcpListener
  readonly #stop: () => void
  readonly #listen: DnsServerAddress
  #closing: Promise<void> | undefined

  private constructor(
    udp: UdpListener,
    tcp: TcpListener,
    server: { readonly listen: DnsServerAddress; readonly counters: DnsCounters; readonly stop: () => void },
  ) {
    this.#udp = udp
    this.#tcp = tcp
    this.#listen = server.listen
    this.counters = server.counters
    this.#stop = server.stop
  }

  /**
   * Resolves when queries are answered.
   * @throws ConduitError EADDRINUSE, EACCES or SYSTEM when the address cannot be had, EINVAL for what is no address, CONFIG for a
   * service whose name, address or port is none, or a forwarder that is this server; RangeError for a number that cannot be
   */
  static async listen(options: DnsServerOptions): Promise<DnsServer> {
    const listen = parseDnsServerAddress(options.listen, { portMin: 0 })
    const ttl = checkTtl(options.ttl ?? TTL_DEFAULT)
    const servers = (options.forward ?? []).map((server) => parseDnsServerAddress(server))
    const { clock = systemClock, nowMs = () => performance.now(), services } = options
    const counters = newCounters()
    const forwarder = servers.length === 0 ? undefined : new Forwarder({ servers, clock, nowMs, counters })
    const zones = zoneSource(options, ttl, listen)
    const parts: ServerParts = {
      responder: new Responder(zones(), forwarder),
      waiting: new WaitingRoom(options.maxWaiting ?? MAX_WAITING, counters),
      rateLimit: options.rateLimit === false ? undefined : new RateLimit(options.rateLimit),
      ...{ counters, clock, nowMs, recursionAvailable: forwarder !== undefined },
    }
    const { udp, tcp } = await bindBoth(listen, parts, limitsOf(options))
    const unsubscribe = services.onChange(() => {
      parts.responder.zones = zones()
    })
    const stop = () => {
      unsubscribe()
      forwarder?.close()
    }
    const server = new DnsServer(udp, tcp, { listen, counters, stop })
    const itself = servers.find(({ address, port }) => address === listen.address && port === server.port)
    if (itself === undefined) return server
    await server.close()
    throw new ConduitError('CONFIG', `the DNS server would forward to itself, ${itself.text}`, {
      hint: 'dns.forward names other servers than dns.listen',
      endpoint: itself.text,
    })
  }

  /** `ADDR:PORT`. */
  get address(): string {
    const { address, family } = this.#listen
    return family === 6 ? `[${address}]:${this.port}` : `${address}:${this.port}`
  }

  /** The same for UDP and TCP. */
  get port(): number {
    return this.#udp.port
  }

  /** Who waits for an answer gets none; what was summoned goes on. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#stop()
      await Promise.all([this.#udp.close(), this.#tcp.close()])
    })()
    return this.#closing
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function checkTtl(ttl: number): number {
  if (Number.isInteger(ttl) && ttl >= 0 && ttl <= TTL_MAX) return ttl
  throw new RangeError(`ttl must be a whole number of seconds from 0 to ${TTL_MAX}, not ${ttl}`)
}

function limitsOf({ maxConnections = MAX_CONNECTIONS, idleMs = IDLE_MS }: DnsServerOptions): TcpListenerLimits {
  if (!Number.isInteger(maxConnections) || maxConnections < 1) {
    throw new RangeError(`maxConnections must be a whole number above 0, not ${maxConnections}`)
  }
  if (!(idleMs > 0)) throw new RangeError(`idleMs must be above 0, not ${idleMs}`)
  return { idleMs, connectionsMax: maxConnections, outstandingMax: OUTSTANDING_MAX }
}

/** The zones as the services are now; each time with a higher serial, whatever the wall clock does. */
function zoneSource(options: DnsServerOptions, ttl: number, listen: DnsServerAddress): () => Zones {
  const ownsParents = (options.forward ?? []).length === 0
  const address = ['0.0.0.0', '::'].includes(listen.address) ? undefined : listen.address
  let serial = 0
  return () => {
    serial = Math.max(serial + 1, Math.floor(Date.now() / 1000))
    return buildZones(options.services, { ttl, hostId: options.hostId, serial, ownsParents, address })
  }
}

async function bindBoth(
  listen: DnsServerAddress,
  parts: ServerParts,
  limits: TcpListenerLimits,
): Promise<{ readonly udp: UdpListener; readonly tcp: TcpListener }> {
  for (let attempt = 1; ; attempt++) {
    const udp = await UdpListener.listen(listen, parts).catch((error) => Promise.reject(cannotListen(listen, error)))
    try {
      return { udp, tcp: await TcpListener.listen({ ...listen, port: udp.port }, parts, limits) }
    } catch (cause) {
      await udp.close()
      const error = cannotListen(listen, cause)
      if (listen.port !== 0 || attempt === PORT_ATTEMPTS || !isConduitError(error, 'EADDRINUSE')) throw error
    }
  }
}

function cannotListen({ text, port }: DnsServerAddress, cause: unknown): ConduitError {
  const { code, syscall, message } = cause as NodeJS.ErrnoException
  const known = code === 'EADDRINUSE' || code === 'EACCES' ? code : 'SYSTEM'
  const hints = {
    EADDRINUSE: `another DNS server has it: choose another address, such as 127.0.0.2:${port}, or stop that server`,
    EACCES:
      'ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or use 5353',
    SYSTEM: 'dns.listen must be an address of this machine',
  }
  return new ConduitError(known, `the DNS server cannot listen on ${text}: ${message}`, {
    errno: code,
    syscall,
    endpoint: text,
    hint: hints[known],
    cause,
  })
}
