// What a domain may ask of the local hypervisor, and what it is told: grants, mappings, ports, connections to the
// store. Every number comes from a client and is checked; who is there at all is hypervisor.ts's.
import { type ControlMessage, ControlStatus, ControlType, NONE } from '../../../protocol/local-control.js'
import { type Domid, PAGE_BYTES, domid as toDomid } from '../../../protocol/xen.js'
import { native } from '../../native.js'
import type { HypervisorDomain } from './hypervisor-domain.js'

/** Most ports of one domain: an eighth of what Xen's FIFO ABI allows (xen/include/public/event_channel.h). */
const MAX_PORTS = 16_384
/** Three mappings a channel: the control page and both rings. */
const MAX_MAPS = 3 * MAX_PORTS

/** Most descriptors in one message (linux/net/scm.h, SCM_MAX_FD). */
const MAX_MESSAGE_FDS = 253

/** Status, words, and descriptors, which stay the requests' own but for those in `fds`. */
export type RequestAnswer = readonly [status: ControlStatus, words?: readonly number[], fds?: readonly number[]]

export interface ControlRequestsOptions {
  readonly find: (domid: number) => HypervisorDomain | undefined
  /** Serve a connection to the store with the domain's rights on a stream socket, which it takes over. */
  readonly serveStore: (domid: Domid, fd: number) => void
  /** Let process `pid` reach the store with the domain's rights by a path. Idempotent. */
  readonly listenForStore: (domid: Domid, pid: number) => void
}

export class ControlRequests {
  readonly #find: ControlRequestsOptions['find']
  readonly #serveStore: ControlRequestsOptions['serveStore']
  readonly #listenForStore: ControlRequestsOptions['listenForStore']

  constructor(options: ControlRequestsOptions) {
    this.#listenForStore = options.listenForStore
    this.#find = options.find
    this.#serveStore = options.serveStore
  }

  /** Carry out a well-formed request. What it keeps of `fds` it takes out of the list; the rest is closed by the caller. */
  handle(domain: HypervisorDomain, { type, words }: ControlMessage, fds: number[]): RequestAnswer {
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
      case ControlType.PEER:
        return this.#estrange(domain, words[0]!)
      case ControlType.STORE_SOCKET:
        this.#listenForStore(toDomid(domain.domid), domain.pid)
        return [ControlStatus.OK]
      default:
        return [ControlStatus.BAD_MESSAGE]
    }
  }

  /** Take back a request that was carried out and whose answer cannot be sent. */
  undo(domain: HypervisorDomain, { type, words }: ControlMessage): void {
    if (type === ControlType.MAP) this.#unmap(domain, words[3]!)
    if (type === ControlType.BIND) this.#closePort(domain, words[2]!)
  }

  #grant(domain: HypervisorDomain, words: readonly number[], fds: number[]): RequestAnswer {
    const [firstGref, pages, peer, writable, notifyOffset] = words as [number, number, number, number, number]
    if (fds.length !== 1) return [ControlStatus.BAD_MESSAGE]
    const record = { firstGref, pages, peer, writable: writable === 1, notifyOffset, memfd: fds[0]! }
    const status = domain.grants.add(record)
    if (status === ControlStatus.OK) fds.shift()
    return [status]
  }

  #map(domain: HypervisorDomain, words: readonly number[]): RequestAnswer {
    const [peer, writable, notifyOffset, mapId, ...grefs] = words as [number, number, number, number, ...number[]]
    const owner = this.#find(peer)
    const runs = owner?.grants.resolve(grefs, domain.domid, writable === 1)
    if (owner === undefined || runs === undefined || domain.maps.has(mapId)) return [ControlStatus.BAD_GRANT]
    const files = [...new Set(runs.map((run) => run.grant.memfd))]
    if (domain.maps.size >= MAX_MAPS || files.length > MAX_MESSAGE_FDS) return [ControlStatus.LIMIT]
    this.#acquaint(owner, domain)
    // The owner hears of the mapping before the mapper does: the mapper may die the moment it has the pages.
    if (notifyOffset !== NONE) {
      const page = Math.floor(notifyOffset / PAGE_BYTES)
      if (page >= grefs.length) return [ControlStatus.BAD_GRANT]
      const { grant } = owner.grants.resolve([grefs[page]!], domain.domid, writable === 1)![0]!
      const offset = (grefs[page]! - grant.firstGref) * PAGE_BYTES + (notifyOffset % PAGE_BYTES)
      domain.maps.set(mapId, { owner: peer, firstGref: grant.firstGref })
      owner.push(ControlType.MAPPED, [grant.firstGref, offset, mapId, domain.domid])
    } else {
      domain.maps.set(mapId, { owner: peer, firstGref: undefined })
    }
    const segments = runs.flatMap((run) => [
      files.indexOf(run.grant.memfd),
      run.firstPage,
      run.pages,
      run.grant.notifyOffset,
    ])
    return [ControlStatus.OK, segments, files]
  }

  #unmap(domain: HypervisorDomain, mapId: number): RequestAnswer {
    const record = domain.maps.get(mapId)
    if (record === undefined) return [ControlStatus.BAD_GRANT]
    domain.maps.delete(mapId)
    const owner = this.#find(record.owner)
    if (owner !== undefined && record.firstGref !== undefined) {
      owner.push(ControlType.UNMAPPED, [record.firstGref, mapId, domain.domid])
    }
    return [ControlStatus.OK]
  }

  #listen(domain: HypervisorDomain, words: readonly number[], fds: number[]): RequestAnswer {
    const [port, peer] = words as [number, number]
    const [ownerReads, binderReads] = fds
    if (ownerReads === undefined || binderReads === undefined || fds.length > 2) return [ControlStatus.BAD_MESSAGE]
    if (port === 0 || domain.hasPort(port)) return [ControlStatus.BAD_PORT]
    if (domain.portCount >= MAX_PORTS) return [ControlStatus.LIMIT]
    fds.length = 0
    domain.ports.set(port, { peer, fds: [ownerReads, binderReads], boundBy: undefined })
    return [ControlStatus.OK]
  }

  #bind(domain: HypervisorDomain, [peer, remotePort, localPort]: readonly [number, number, number]): RequestAnswer {
    const owner = this.#find(peer)
    const port = owner?.ports.get(remotePort)
    if (owner === undefined || port === undefined || port.peer !== domain.domid || port.boundBy !== undefined) {
      return [ControlStatus.BAD_PORT]
    }
    if (localPort === 0 || domain.hasPort(localPort)) return [ControlStatus.BAD_PORT]
    if (domain.portCount >= MAX_PORTS) return [ControlStatus.LIMIT]
    this.#acquaint(owner, domain)
    port.boundBy = domain.domid
    domain.bound.set(localPort, [peer, remotePort])
    const [ownerReads, binderReads] = port.fds
    return [ControlStatus.OK, [], [binderReads, ownerReads]]
  }

  #closePort(domain: HypervisorDomain, port: number): RequestAnswer {
    const bound = domain.bound.get(port)
    if (bound !== undefined) {
      domain.bound.delete(port)
      // As in Xen the other end is unbound again, for the same peer.
      const other = this.#find(bound[0])?.ports.get(bound[1])
      if (other !== undefined) other.boundBy = undefined
      return [ControlStatus.OK]
    }
    const own = domain.ports.get(port)
    if (own === undefined) return [ControlStatus.BAD_PORT]
    domain.ports.delete(port)
    for (const fd of own.fds) native().closeFd(fd)
    return [ControlStatus.OK]
  }

  #xenstore(domain: HypervisorDomain, fds: number[]): RequestAnswer {
    const [ours, theirs] = native().socketPair(true)
    this.#serveStore(toDomid(domain.domid), ours)
    // Closed by the caller once it is sent.
    fds.push(theirs)
    return [ControlStatus.OK, [], [theirs]]
  }

  /** Give two processes the two ends of a pair, once: from then on each notices the other's death by itself. */
  #acquaint(a: HypervisorDomain, b: HypervisorDomain): void {
    if (a === b || a.acquainted.has(b.domid)) return
    const pair = native().socketPair(false)
    try {
      a.push(ControlType.PEER, [b.domid], [pair[0]])
      b.push(ControlType.PEER, [a.domid], [pair[1]])
    } finally {
      for (const fd of pair) native().closeFd(fd)
    }
    // Only now: a pair that could not be passed on is no acquaintance, and the request behind it has failed.
    a.acquainted.add(b.domid)
    b.acquainted.add(a.domid)
  }

  /** One end never arrived, its holder being out of descriptors, or has hung up. */
  #estrange(domain: HypervisorDomain, peer: number): RequestAnswer {
    domain.acquainted.delete(peer)
    this.#find(peer)?.acquainted.delete(domain.domid)
    return [ControlStatus.OK]
  }
}
