// The records of the directory's services. Of a name it says: its addresses (A, AAAA), its ports (SRV), its conduit (SVCB and TXT at
// `_conduit.NAME`), and that its addresses have that name (PTR). Each zone has SOA and NS.
import { discoveryName, formatDiscoveryParams, formatDiscoveryTexts } from '../../../protocol/conduit-discovery.js'
import { parseName } from '../../../protocol/conduit-name.js'
import { type DnsRecord, nameKey, parentKey } from '../../../protocol/dns.js'
import { reverseName } from '../../../protocol/ip-address.js'
import type { Service } from '../summon.js'
import { apexes } from './apexes.js'
import { checkServable } from './check-servable.js'
import { Zone } from './zone.js'
import { ZoneNode, Zones } from './zones.js'

export interface ZoneOptions {
  /** Seconds, for every record. */
  readonly ttl: number
  /** `/conduit/host-id`; without it nothing is said of conduits. */
  readonly hostId: string | undefined
  /** Of every SOA (RFC 1912 2.2: it only grows). */
  readonly serial: number
  /** Whether names beside a service's, below the same parent, are this server's to deny: not if they can be asked elsewhere. */
  readonly ownsParents: boolean
  /** This server's own address, if it has one and not all. */
  readonly address: string | undefined
}

/** How long nobody asks again for what was not there, in seconds: a reload may bring it (RFC 2308 5 allows hours). */
const NEGATIVE_TTL_MAX = 300

/** @throws ConduitError CONFIG for a service whose DNS name, address or port cannot be one */
export function buildZones(services: Iterable<Service>, options: ZoneOptions): Zones {
  const builder = new ZoneBuilder(options)
  const all = [...services]
  for (const service of all) checkServable(service)
  const names = all.flatMap(({ dns }) => dns)
  for (const apex of apexes(names, options.ownsParents)) builder.zone(apex)
  for (const service of all) builder.service(service)
  builder.nameServers()
  return builder.zones()
}

/** A thousand services may share 127.0.0.1: whoever asks for its name wants one. */
const REVERSE_NAMES_MAX = 16

class ZoneBuilder {
  readonly #options: ZoneOptions
  readonly #nodes = new Map<string, ZoneNode>()
  readonly #zones = new Map<string, Zone>()
  /** Names of each address, by its reverse name. */
  readonly #reversed = new Map<string, number>()

  constructor(options: ZoneOptions) {
    this.#options = options
  }

  zones(): Zones {
    return new Zones(this.#nodes)
  }

  /** Called `ns` in the zone itself, unless another is given. */
  zone(apex: string, primary = below('ns', apex)): void {
    const { ttl, serial } = this.#options
    const times = { serial, refresh: ttl, retry: ttl, expire: 2 * ttl, minimum: Math.min(ttl, NEGATIVE_TTL_MAX) }
    // RFC 2142 7 for the mailbox.
    const soa = { name: apex, type: 'SOA', ttl, primary, mailbox: below('hostmaster', apex), ...times } as const
    this.#zones.set(nameKey(apex)!, new Zone(soa))
    this.#add(undefined, soa)
    this.#add(undefined, { name: apex, type: 'NS', ttl, target: primary })
  }

  service(service: Service): void {
    for (const name of service.dns) {
      this.#node(name, nameKey(name)!).service ??= service
      this.#name(name, service)
    }
    for (const address of service.addresses) this.#reverse(address, service)
  }

  /** A name server in a zone has an address there, where this server has one address and nobody else has the name. */
  nameServers(): void {
    const { address } = this.#options
    for (const { soa } of [...this.#zones.values()]) {
      const key = nameKey(soa.primary)
      if (address === undefined || key === undefined || this.#nodes.has(key)) continue
      this.#add(undefined, this.#addressRecord(soa.primary, address))
    }
  }

  #name(name: string, service: Service): void {
    const { ttl } = this.#options
    for (const address of service.addresses) this.#add(service, this.#addressRecord(name, address))
    for (const [port, number] of Object.entries(service.ports ?? {})) {
      this.#add(service, {
        name: `_${port}._tcp.${name}`,
        type: 'SRV',
        ttl,
        priority: 0,
        weight: 0,
        port: number,
        target: name,
      })
    }
    this.#discovery(name, service)
  }

  #addressRecord(name: string, address: string): DnsRecord {
    return { name, type: address.includes(':') ? 'AAAA' : 'A', ttl: this.#options.ttl, address }
  }

  #discovery(target: string, service: Service): void {
    const { hostId, ttl } = this.#options
    // A service's name is a conduit's, unless a program gave another one to the contract.
    if (hostId === undefined || parseName(service.name) !== service.name) return
    const discovery = { name: service.name, port: undefined, hostId }
    const name = discoveryName(target)
    this.#add(service, { name, type: 'SVCB', ttl, priority: 1, target, params: formatDiscoveryParams(discovery) })
    this.#add(service, { name, type: 'TXT', ttl, texts: formatDiscoveryTexts(discovery) })
  }

  /** The address's own name is a zone by itself: the rest of in-addr.arpa is somebody else's. Nobody is booted for it. */
  #reverse(address: string, service: Service): void {
    const [target] = service.dns
    const name = reverseName(address)
    if (target === undefined || name === undefined) return
    const names = this.#reversed.get(name) ?? 0
    if (names === REVERSE_NAMES_MAX) return
    this.#reversed.set(name, names + 1)
    if (names === 0) this.zone(name, this.#zoneOf(nameKey(target)!).soa.primary)
    this.#add(undefined, { name, type: 'PTR', ttl: this.#options.ttl, target })
  }

  /** Left out when the name in front makes it too long for DNS. */
  #add(service: Service | undefined, record: DnsRecord): void {
    const key = nameKey(record.name)
    if (key === undefined) return
    const node = this.#node(record.name, key)
    node.add(record)
    node.service ??= service
  }

  /** Names between it and its zone exist as well (RFC 8020 2, RFC 4592 2.2.2). */
  #node(name: string, key: string): ZoneNode {
    const known = this.#nodes.get(key)
    if (known !== undefined) return known
    const zone = this.#zoneOf(key)
    const node = new ZoneNode(name, zone)
    this.#nodes.set(key, node)
    if (name !== zone.apex) this.#node(name.slice(name.indexOf('.') + 1), parentKey(key)!)
    return node
  }

  #zoneOf(name: string): Zone {
    for (let key: string | undefined = name; key !== undefined; key = parentKey(key)) {
      const zone = this.#zones.get(key)
      if (zone !== undefined) return zone
    }
    throw new RangeError(`${JSON.stringify(name)} is in no zone`)
  }
}

/** The apex itself, where it leaves no room for a label in front. */
const below = (label: string, apex: string): string =>
  nameKey(`${label}.${apex}`) === undefined ? apex : `${label}.${apex}`
