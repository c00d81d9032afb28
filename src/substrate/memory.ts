// A hypervisor inside one process: domains, pages, ports and faults on plain ArrayBuffers, with events that can be
// stepped through one by one. For tests, ours and users'. It isolates nothing and enforces no read-only mapping.
import { type Domid, domid as toDomid } from '../../protocol/xen.js'
import { ConduitError, type ConduitErrorCode } from '../errors.js'
import type { XenstoreTransport } from '../xenstore/transport.js'
import { EventQueue } from './memory/event-queue.js'
import { Faults } from './memory/faults.js'
import { GrantTable } from './memory/grant-table.js'
import { MemoryDomain } from './memory/memory-domain.js'
import { PortTable } from './memory/port-table.js'
import type { Substrate } from './substrate.js'

/** How a {@link MemoryHypervisor} behaves. */
export interface MemoryHypervisorOptions {
  /** How a domain reaches its store; without it {@link Substrate.xenstore} fails. */
  readonly xenstore?: (domid: Domid) => XenstoreTransport | Promise<XenstoreTransport>
  /** Events wait for {@link MemoryHypervisor.step} or `settle`; by default each is delivered in a turn of the loop. */
  readonly manual?: boolean
  /** Pages that may be granted at a time in all, as gntalloc's limit; unlimited by default. */
  readonly grantLimit?: number
  /** First domid handed out; 1 by default. */
  readonly firstDomid?: number
}

/** What can be made to fail. */
export type FaultPoint = 'share' | 'map' | 'listen' | 'bind' | 'xenstore'

/**
 * Domains, pages and ports inside one process, so that a test needs neither addon, processes nor Xen. Events can be
 * stepped through, calls made to fail, kicks lost, and domains killed.
 *
 * @example
 * import { MemoryHypervisor } from 'conduit-vchan/testing'
 * const hypervisor = new MemoryHypervisor({ manual: true })
 * const [server, client] = [hypervisor.createDomain(), hypervisor.createDomain()]
 * const share = await server.share(client.domid, 1)
 * const mapping = await client.map(server.domid, share.grefs, { access: 'rw' })
 * hypervisor.kill(client.domid) // as kill -9 would
 * await server.close()
 * hypervisor.assertClean()
 */
export class MemoryHypervisor {
  readonly #grants: GrantTable
  readonly #queue: EventQueue
  readonly #ports: PortTable
  readonly #faults = new Faults()
  readonly #domains = new Map<Domid, MemoryDomain>()
  readonly #openXenstore: MemoryHypervisorOptions['xenstore']
  #nextDomid: number

  constructor(options: MemoryHypervisorOptions = {}) {
    this.#queue = new EventQueue(options.manual === true)
    this.#ports = new PortTable(this.#queue, this.#faults)
    this.#grants = new GrantTable(this.#ports, options.grantLimit ?? Number.POSITIVE_INFINITY)
    this.#openXenstore = options.xenstore
    this.#nextDomid = options.firstDomid ?? 1
  }

  /** A new domain. @throws RangeError when `domid` is none or taken */
  createDomain(domid: number = this.#nextDomid): Substrate {
    const id = toDomid(domid)
    if (this.#domains.has(id)) throw new RangeError(`domain ${id} exists`)
    this.#nextDomid = Math.max(this.#nextDomid, id + 1)
    const domain = new MemoryDomain(id, {
      grants: this.#grants,
      ports: this.#ports,
      faults: this.#faults,
      openXenstore: this.#openXenstore,
      onGone: () => this.#domains.delete(id),
    })
    this.#domains.set(id, domain)
    return domain
  }

  /** The domain dies as under kill -9: no handler of its own runs again, its unmap notifications fire on the survivors. */
  kill(domid: Domid): void {
    this.#domains.get(domid)?.die()
  }

  /** Make the `nth` next call at `point` fail, the next one by default. */
  fail(point: FaultPoint, code: ConduitErrorCode, nth = 1): void {
    this.#faults.add(point, nth, new ConduitError(code, `${point}: injected fault`))
  }

  /** Lose the `nth` next kick, or deliver it twice. */
  disturb(what: 'drop' | 'duplicate', nth = 1): void {
    this.#faults.disturb(what, nth)
  }

  /** Deliver the oldest event; false when none waits. */
  step(): boolean {
    return this.#queue.step()
  }

  /** Deliver events, with turns of the loop between them, until none is left. */
  settle(): Promise<void> {
    return this.#queue.settle()
  }

  /** Events that wait. */
  get pending(): number {
    return this.#queue.pending
  }

  /** @throws Error that lists everything still mapped, shared or bound */
  assertClean(): void {
    const left = [...this.#grants.leftovers(), ...this.#ports.leftovers()]
    if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`)
  }
}
