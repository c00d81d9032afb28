// The xen substrate: pages and ports of a real hypervisor, through the kernel's drivers; no libxen. What the kernel does by
// itself when a process or a domain dies (bytes cleared, ports kicked, pages given back) is not done here.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Domid, EvtchnPort, Gref } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { type Native, native } from '../../native.js'
import type { OpenXenstoreTransport, XenstoreTransport } from '../../xenstore/transport.js'
import type { EventChannel, GrantBudget, MapOptions, Mapping, Share, ShareOptions, Substrate } from '../substrate.js'
import { Devices } from './devices.js'
import { EventTable } from './event-table.js'
import { GrantedPages, readGrantLimit } from './granted-pages.js'
import { MappedPages } from './mapped-pages.js'
import { OwnDomid } from './own-domid.js'
import { xenStore } from './store-path.js'

export interface XenOptions {
  /** Milliseconds for the store to tell which domain this is; 10,000 by default. */
  readonly timeoutMs?: number | undefined
  /** Gives up opening, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** For tests: allow a peer that is this domain itself, which kernels have crashed at. */
  readonly loopback?: boolean | undefined
  /** For tests: connects to the store; by default as libxenstore does. */
  readonly store?: OpenXenstoreTransport | undefined
  /** For tests: what to open and control devices with. */
  readonly addon?: Native | undefined
  /** For tests: gntalloc's limit. */
  readonly readGrantLimit?: (() => number | undefined) | undefined
  /** For tests: waits. */
  readonly pause?: ((ms: number) => Promise<unknown>) | undefined
}

const OPEN_TIMEOUT_MS = 10_000

export class XenSubstrate implements Substrate {
  readonly kind = 'xen'
  readonly #loopback: boolean
  readonly #openStore: OpenXenstoreTransport
  readonly #own: OwnDomid
  readonly #devices: Devices
  readonly #ports: EventTable
  readonly #granted: GrantedPages
  readonly #mapped: MappedPages
  readonly #transports = new Set<XenstoreTransport>()
  #closed = false

  private constructor(options: XenOptions, openStore: OpenXenstoreTransport, own: OwnDomid) {
    this.#loopback = options.loopback === true
    this.#openStore = openStore
    this.#own = own
    this.#devices = new Devices(options.addon ?? native())
    this.#ports = new EventTable(this.#devices)
    this.#granted = new GrantedPages(this.#devices, options.readGrantLimit ?? readGrantLimit)
    this.#mapped = new MappedPages(this.#devices, options.pause ?? sleep)
    own.onChange = () => this.#onRestored()
  }

  /**
   * Find out which domain this is. Devices are opened when they are first needed.
   * @throws ConduitError SUBSTRATE_UNAVAILABLE, EMFILE, ADDON_MISSING; the signal's reason
   */
  static async open(options: XenOptions = {}): Promise<XenSubstrate> {
    const openStore = options.store ?? xenStore(() => options.addon ?? native())
    const own = await OwnDomid.ask(openStore, options.timeoutMs ?? OPEN_TIMEOUT_MS, options.signal)
    try {
      return new XenSubstrate(options, openStore, own)
    } catch (error) {
      await own.close()
      throw error
    }
  }

  get domid(): Domid {
    return this.#own.domid
  }

  get grantBudget(): GrantBudget {
    return this.#granted.budget
  }

  async share(peer: Domid, pages: number, options: ShareOptions = {}): Promise<Share> {
    this.#checkPeer(peer)
    return this.#granted.share(peer, pages, options)
  }

  async map(peer: Domid, grefs: readonly Gref[], options: MapOptions): Promise<Mapping> {
    this.#checkPeer(peer)
    return this.#mapped.map(peer, grefs, options)
  }

  async listen(peer: Domid): Promise<EventChannel> {
    this.#checkPeer(peer)
    return this.#ports.listen(peer)
  }

  async bind(peer: Domid, port: EvtchnPort): Promise<EventChannel> {
    this.#checkPeer(peer)
    return this.#ports.bind(peer, port)
  }

  async xenstore(): Promise<XenstoreTransport> {
    this.#checkOpen()
    const transport = await this.#openStore()
    this.#transports.add(transport)
    return {
      send: (bytes) => transport.send(bytes),
      onData: (receiver) => transport.onData(receiver),
      onClose: (listener) =>
        transport.onClose((error) => {
          this.#transports.delete(transport)
          listener(error)
        }),
      ref: () => transport.ref(),
      unref: () => transport.unref(),
      close: () => transport.close(),
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#giveBack()
    this.#ports.close()
    this.#devices.close()
    await this.#own.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #giveBack(): void {
    this.#granted.close()
    this.#mapped.close()
  }

  /** Saved and restored, or migrated: none of the grants, ports and mappings came along. */
  #onRestored(): void {
    // Order matters: pages first, since a foreign page can no longer be touched; then their owners hear of it.
    this.#giveBack()
    // Linux resumes without the ports of user space and counts them to their descriptor all the same: to unbind one, or to close
    // that descriptor, is an oops in the kernel, and the process hangs in it. So it stays open, unused.
    const stale = this.#ports.lose()
    this.#devices.reopen(stale ? 'evtchn' : undefined)
    // The store's clients connect again, and with that register their names and watches under the new number.
    for (const transport of this.#transports) transport.close()
  }

  #checkOpen(): void {
    if (!this.#closed) return
    throw new ConduitError('SUBSTRATE_LOST', 'this environment was closed', { hint: 'open another one' })
  }

  #checkPeer(peer: Domid): void {
    this.#checkOpen()
    if (peer !== this.domid || this.#loopback) return
    throw new ConduitError('EINVAL', `domain ${peer} is this domain: Xen shares pages between two`, {
      domid: peer,
      hint: 'within one domain connect by name, or use the local backend: CONDUIT_BACKEND=local for both ends',
    })
  }
}
