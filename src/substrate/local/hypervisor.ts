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
import { DOMID_FIRST_RESERVED, type Domid, domid as toDomid } from '../../../protocol/xen.js'
import { native } from '../../native.js'
import { ControlRequests, type RequestAnswer } from './control-requests.js'
import { ControlSocket } from './control-socket.js'
import { HypervisorDomain } from './hypervisor-domain.js'

/** What the hypervisor tells the store. */
export interface DomainStore {
  introduceDomain(domid: Domid, pid: number): void
  domainDied(domid: Domid): void
  /** Serve a connection with the domain's rights on a stream socket, which it takes over. */
  serve(domid: Domid, fd: number): void
  /** Let process `pid` reach the store with the domain's rights by a path, until the domain dies. Idempotent. */
  listen(domid: Domid, pid: number): void
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
export class LocalHypervisor {
  readonly #options: LocalHypervisorOptions
  readonly #requests: ControlRequests
  readonly #domains = new Map<number, HypervisorDomain>()
  readonly #strangers = new Set<ControlSocket>()
  readonly #waiting: (() => void)[] = []
  #grace: boolean
  #next: number
  #reserved: number

  constructor(options: LocalHypervisorOptions) {
    this.#options = options
    this.#requests = new ControlRequests({
      find: (domid) => this.#domains.get(domid),
      serveStore: (domid, fd) => options.store.serve(domid, fd),
      listenForStore: (domid, pid) => options.store.listen(domid, pid),
    })
    this.#grace = options.grace
    this.#next = options.nextDomid
    this.#reserved = options.nextDomid
  }

  get domainCount(): number {
    return this.#domains.size
  }

  /** The process that attached as that domain. */
  processOf(domid: Domid): number | undefined {
    return this.#domains.get(domid)?.pid
  }

  /** Take a new control connection. */
  accept(fd: number): void {
    const { uid, pid } = native().peerCredentials(fd)
    if (uid !== process.getuid!()) {
      native().closeFd(fd)
      return
    }
    let domain: HypervisorDomain | undefined
    const socket = new ControlSocket(fd, {
      answersFirst: true,
      onMessage: (message, fds, fdsLost) => {
        if (domain !== undefined) this.#serve(domain, message, fds, fdsLost)
        else
          this.#attach({ socket, pid }, message, fds, (attached) => {
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

  #attach(
    stranger: { readonly socket: ControlSocket; readonly pid: number },
    message: ControlMessage,
    fds: number[],
    attached: (domain: HypervisorDomain) => void,
  ): void {
    for (const fd of fds) native().closeFd(fd)
    const { socket } = stranger
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
      const domain = this.#admit(stranger, wanted === NONE ? this.#freshDomid() : wanted)
      attached(domain)
      answer(ControlStatus.OK, [domain.domid])
    }
    if (this.#grace && wanted === NONE) this.#waiting.push(admit)
    else admit()
  }

  #admit({ socket, pid }: { socket: ControlSocket; pid: number }, domid: number): HypervisorDomain {
    this.#strangers.delete(socket)
    const domain = new HypervisorDomain(domid, pid, socket)
    this.#domains.set(domid, domain)
    this.#options.store.introduceDomain(toDomid(domid), pid)
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

  #serve(domain: HypervisorDomain, message: ControlMessage, fds: number[], fdsLost: boolean): void {
    const [status, words = [], answerFds = []] = fdsLost
      ? ([ControlStatus.NO_DESCRIPTORS] as RequestAnswer)
      : this.#handle(domain, message, fds)
    const { type, sequence } = message
    try {
      domain.socket.send({ type, status, sequence, words }, answerFds)
    } catch {
      this.#requests.undo(domain, message)
      domain.socket.send({ type, status: ControlStatus.NO_DESCRIPTORS, sequence, words: [] })
    }
    // Handlers that keep descriptors take them out of the list.
    for (const fd of fds) native().closeFd(fd)
  }

  /** Running out of descriptors or memory is the request's failure, not the hypervisor's. */
  #handle(domain: HypervisorDomain, message: ControlMessage, fds: number[]): RequestAnswer {
    if (!isWellFormed(message)) return [ControlStatus.BAD_MESSAGE]
    try {
      return this.#requests.handle(domain, message, fds)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return [code === 'EMFILE' || code === 'ENFILE' ? ControlStatus.NO_DESCRIPTORS : ControlStatus.LIMIT]
    }
  }

  #died(domain: HypervisorDomain): void {
    this.#domains.delete(domain.domid)
    domain.close()
    for (const [peer, port] of domain.bound.values()) {
      const other = this.#domains.get(peer)?.ports.get(port)
      if (other !== undefined) other.boundBy = undefined
    }
    for (const peer of domain.acquainted) this.#domains.get(peer)?.acquainted.delete(domain.domid)
    this.#options.store.domainDied(toDomid(domain.domid))
    if (this.#domains.size === 0 && !this.#grace) this.#options.onIdle()
  }
}
