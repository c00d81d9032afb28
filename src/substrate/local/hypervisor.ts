// The local hypervisor: hands out domids, records grants and ports, passes their descriptors on, introduces pairs of
// domains to each other and tells the store who is there. Data never flows through it. Runs no store and no
// registrar itself: its main module brings them.
import {
  CONTROL_VERSION,
  type ControlMessage,
  ControlStatus,
  ControlType,
  isWellFormed,
  NONE,
} from '../../../protocol/local-control.js'
import { DOMID_FIRST_RESERVED, type Domid, PAGE_BYTES, domid as toDomid } from '../../../protocol/xen.js'
import { native } from '../../native.js'
import { ControlSocket } from './control-socket.js'
import { GrantTable } from './grant-table.js'

/** What the hypervisor tells the store. */
export interface DomainStore {
  introduceDomain(domid: Domid): void
  domainDied(domid: Domid): void
  /** Serve a connection with the domain's rights on a stream socket, which it takes over. */
  serve(domid: Domid, fd: number): void
}

export interface LocalHypervisorOptions {
  readonly store: DomainStore
  /** First domid to hand out. */
  readonly nextDomid: number
  /** Called with the domid below which all may have been handed out, before they are. */
  readonly reserveDomids: (below: number) => void
  /** Hold newcomers back until `endGrace()`: those who lost the last instance come first, with their domids. */
  readonly grace: boolean
  /** Called whenever the last domain has left. */
  readonly onIdle: () => void
}

/** Domids reserved at a time. */
const DOMID_BATCH = 64
/** Most ports of one domain; Xen's own limit with the FIFO ABI is 131,072 (xen/include/public/event_channel.h). */
const MAX_PORTS = 16_384
const MAX_MAPS = 3 * MAX_PORTS

interface Port {
  readonly peer: number
  /** Read by the owner, read by the binder. */
  readonly fds: readonly number[]
  boundBy: number | undefined
}

interface MapRecord {
  readonly owner: number
  readonly firstGref: number
}

interface Domain {
  readonly domid: number
  readonly socket: ControlSocket
  readonly grants: GrantTable
  readonly ports: Map<number, Port>
  readonly maps: Map<number, MapRecord>
  /** Ports of peers that this domain has bound, by its own port: [peer, peer's port]. */
  readonly bound: Map<number, readonly [number, number]>
  /** Domains that hold the other end of a liveness pair. */
  readonly acquainted: Set<number>
}

type Answer = readonly [status: ControlStatus, words?: readonly number[], fds?: readonly number[]]

export class LocalHypervisor {
  readonly #options: LocalHypervisorOptions
  readonly #domains = new Map<number, Domain>()
  readonly #strangers = new Set<ControlSocket>()
  readonly #waiting: (() => void)[] = []
  #grace: boolean
  #next: number
  #reserved: number

  constructor(options: LocalHypervisorOptions) {
    this.#options = options
    this.#grace = options.grace
    this.#next = options.nextDomid
    this.#reserved = options.nextDomid
  }

  get domainCount(): number {
    return this.#domains.size
  }

  /** Take a new control connection. */
  accept(fd: number): void {
    if (native().peerCredentials(fd).uid !== process.getuid!()) {
      native().closeFd(fd)
      return
    }
    let domain: Domain | undefined
    const socket = new ControlSocket(fd, {
      onMessage: (message, fds) => {
        if (domain !== undefined) this.#serve(domain, message, fds)
        else
          this.#attach(socket, message, fds, (attached) => {
            domain = attached
          })
      },
      onClose: () => {
        this.#strangers.delete(socket)
        if (domain !== undefined) this.#died(domain)
      },
    })
    socket.ref()
    this.#strangers.add(socket)
  }

  /** Let the newcomers in that were held back. */
  endGrace(): void {
    this.#grace = false
    for (const attach of this.#waiting.splice(0)) attach()
    if (this.#domains.size === 0) this.#options.onIdle()
  }

  close(): void {
    for (const socket of this.#strangers) socket.close()
    for (const domain of this.#domains.values()) domain.socket.close()
  }

  #attach(socket: ControlSocket, message: ControlMessage, fds: number[], attached: (domain: Domain) => void): void {
    for (const fd of fds) native().closeFd(fd)
    const answer = (status: ControlStatus, words: number[] = []): void => {
      socket.send({ ...message, status, words })
    }
    if (message.type !== ControlType.ATTACH || !isWellFormed(message)) {
      answer(ControlStatus.BAD_MESSAGE)
      return
    }
    const [version, wanted] = message.words as [number, number]
    if (version !== CONTROL_VERSION) {
      answer(ControlStatus.BAD_VERSION)
      return
    }
    const admit = (): void => {
      if (!this.#strangers.has(socket)) return
      const taken = this.#domains.has(wanted) || wanted === 0 || wanted >= DOMID_FIRST_RESERVED
      if (wanted !== NONE && taken) {
        answer(ControlStatus.DOMID_TAKEN)
        return
      }
      const domain = this.#admit(socket, wanted === NONE ? this.#freshDomid() : wanted)
      attached(domain)
      answer(ControlStatus.OK, [domain.domid])
    }
    if (this.#grace && wanted === NONE) this.#waiting.push(admit)
    else admit()
  }

  #admit(socket: ControlSocket, domid: number): Domain {
    this.#strangers.delete(socket)
    const domain: Domain = {
      domid,
      socket,
      grants: new GrantTable(),
      ports: new Map(),
      maps: new Map(),
      bound: new Map(),
      acquainted: new Set(),
    }
    this.#domains.set(domid, domain)
    this.#options.store.introduceDomain(toDomid(domid))
    return domain
  }

  #freshDomid(): number {
    let candidate = this.#next
    while (this.#domains.has(candidate)) candidate = candidate + 1 >= DOMID_FIRST_RESERVED ? 1 : candidate + 1
    this.#next = candidate + 1 >= DOMID_FIRST_RESERVED ? 1 : candidate + 1
    if (candidate >= this.#reserved || this.#next < candidate) {
      this.#reserved = this.#next + DOMID_BATCH
      this.#options.reserveDomids(this.#reserved)
    }
    return candidate
  }

  #serve(domain: Domain, message: ControlMessage, fds: number[]): void {
    const [status, words = [], answerFds = []] = isWellFormed(message)
      ? this.#handle(domain, message, fds)
      : ([ControlStatus.BAD_MESSAGE] as Answer)
    domain.socket.send({ type: message.type, status, sequence: message.sequence, words }, answerFds)
    // Handlers that keep descriptors take them out of the list.
    for (const fd of fds) native().closeFd(fd)
  }

  #handle(domain: Domain, { type, words }: ControlMessage, fds: number[]): Answer {
    switch (type) {
      case ControlType.GRANT:
        return this.#grant(domain, words, fds)
      case ControlType.UNGRANT:
        return [domain.grants.remove(words[0]!)]
      case ControlType.MAP:
        return this.#map(domain, words)
      case ControlType.UNMAP:
        return this.#unmap(domain, words[0]!)
      case ControlType.LISTEN:
        return this.#listen(domain, words, fds)
      case ControlType.BIND:
        return this.#bind(domain, words as [number, number, number])
      case ControlType.CLOSE_PORT:
        return this.#closePort(domain, words[0]!)
      case ControlType.XENSTORE:
        return this.#xenstore(domain, fds)
      default:
        return [ControlStatus.BAD_MESSAGE]
    }
  }

  #grant(domain: Domain, words: readonly number[], fds: number[]): Answer {
    const [firstGref, pages, peer, writable, notifyOffset] = words as [number, number, number, number, number]
    if (fds.length !== 1) return [ControlStatus.BAD_MESSAGE]
    const record = { firstGref, pages, peer, writable: writable === 1, notifyOffset, memfd: fds[0]! }
    const status = domain.grants.add(record)
    if (status === ControlStatus.OK) fds.shift()
    return [status]
  }

  #map(domain: Domain, words: readonly number[]): Answer {
    const [peer, writable, notifyOffset, mapId, ...grefs] = words as [number, number, number, number, ...number[]]
    const owner = this.#domains.get(peer)
    const runs = owner?.grants.resolve(grefs, domain.domid, writable === 1)
    if (owner === undefined || runs === undefined || domain.maps.has(mapId)) return [ControlStatus.BAD_GRANT]
    if (domain.maps.size >= MAX_MAPS) return [ControlStatus.LIMIT]
    this.#acquaint(owner, domain)
    // The owner hears of the mapping before the mapper does: the mapper may die the moment it has the pages.
    if (notifyOffset !== NONE) {
      const page = Math.floor(notifyOffset / PAGE_BYTES)
      if (page >= grefs.length) return [ControlStatus.BAD_GRANT]
      const { grant } = owner.grants.resolve([grefs[page]!], domain.domid, writable === 1)![0]!
      const offset = (grefs[page]! - grant.firstGref) * PAGE_BYTES + (notifyOffset % PAGE_BYTES)
      domain.maps.set(mapId, { owner: peer, firstGref: grant.firstGref })
      this.#push(owner, ControlType.MAPPED, [grant.firstGref, offset, mapId, domain.domid])
    } else {
      domain.maps.set(mapId, { owner: peer, firstGref: NONE })
    }
    const files = [...new Set(runs.map((run) => run.grant.memfd))]
    const segments = runs.flatMap((run) => [
      files.indexOf(run.grant.memfd),
      run.firstPage,
      run.pages,
      run.grant.notifyOffset,
    ])
    return [ControlStatus.OK, segments, files]
  }

  #unmap(domain: Domain, mapId: number): Answer {
    const record = domain.maps.get(mapId)
    if (record === undefined) return [ControlStatus.BAD_GRANT]
    domain.maps.delete(mapId)
    const owner = this.#domains.get(record.owner)
    if (owner !== undefined && record.firstGref !== NONE) {
      this.#push(owner, ControlType.UNMAPPED, [record.firstGref, mapId, domain.domid])
    }
    return [ControlStatus.OK]
  }

  #listen(domain: Domain, words: readonly number[], fds: number[]): Answer {
    const [port, peer] = words as [number, number]
    if (fds.length !== 2) return [ControlStatus.BAD_MESSAGE]
    if (port === 0 || domain.ports.has(port) || domain.bound.has(port)) return [ControlStatus.BAD_PORT]
    if (domain.ports.size + domain.bound.size >= MAX_PORTS) return [ControlStatus.LIMIT]
    domain.ports.set(port, { peer, fds: fds.splice(0), boundBy: undefined })
    return [ControlStatus.OK]
  }

  #bind(domain: Domain, [peer, remotePort, localPort]: readonly [number, number, number]): Answer {
    const owner = this.#domains.get(peer)
    const port = owner?.ports.get(remotePort)
    if (owner === undefined || port === undefined || port.peer !== domain.domid || port.boundBy !== undefined) {
      return [ControlStatus.BAD_PORT]
    }
    if (localPort === 0 || domain.ports.has(localPort) || domain.bound.has(localPort)) return [ControlStatus.BAD_PORT]
    if (domain.ports.size + domain.bound.size >= MAX_PORTS) return [ControlStatus.LIMIT]
    this.#acquaint(owner, domain)
    port.boundBy = domain.domid
    domain.bound.set(localPort, [peer, remotePort])
    const [ownerReads, binderReads] = port.fds as [number, number]
    return [ControlStatus.OK, [], [binderReads, ownerReads]]
  }

  #closePort(domain: Domain, port: number): Answer {
    const bound = domain.bound.get(port)
    if (bound !== undefined) {
      domain.bound.delete(port)
      // As in Xen the other end is unbound again, for the same peer.
      const other = this.#domains.get(bound[0])?.ports.get(bound[1])
      if (other !== undefined) other.boundBy = undefined
      return [ControlStatus.OK]
    }
    const own = domain.ports.get(port)
    if (own === undefined) return [ControlStatus.BAD_PORT]
    domain.ports.delete(port)
    for (const fd of own.fds) native().closeFd(fd)
    return [ControlStatus.OK]
  }

  #xenstore(domain: Domain, fds: number[]): Answer {
    const [ours, theirs] = native().socketPair(true)
    this.#options.store.serve(toDomid(domain.domid), ours)
    // Closed by the caller once it is sent.
    fds.push(theirs)
    return [ControlStatus.OK, [], [theirs]]
  }

  /** Give two processes the two ends of a pair, once: from then on each notices the other's death by itself. */
  #acquaint(a: Domain, b: Domain): void {
    if (a === b || a.acquainted.has(b.domid)) return
    a.acquainted.add(b.domid)
    b.acquainted.add(a.domid)
    const pair = native().socketPair(false)
    this.#push(a, ControlType.PEER, [b.domid], [pair[0]])
    this.#push(b, ControlType.PEER, [a.domid], [pair[1]])
    for (const fd of pair) native().closeFd(fd)
  }

  #push(domain: Domain, type: ControlType, words: number[], fds: number[] = []): void {
    domain.socket.send({ type, status: ControlStatus.OK, sequence: 0, words }, fds)
  }

  #died(domain: Domain): void {
    this.#domains.delete(domain.domid)
    domain.grants.close()
    for (const { fds } of domain.ports.values()) for (const fd of fds) native().closeFd(fd)
    for (const [peer, port] of domain.bound.values()) {
      const other = this.#domains.get(peer)?.ports.get(port)
      if (other !== undefined) other.boundBy = undefined
    }
    for (const peer of domain.acquainted) this.#domains.get(peer)?.acquainted.delete(domain.domid)
    this.#options.store.domainDied(toDomid(domain.domid))
    if (this.#domains.size === 0 && !this.#grace) this.#options.onIdle()
  }
}
