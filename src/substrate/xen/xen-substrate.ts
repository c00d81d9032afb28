// The xen substrate: pages and ports of a real hypervisor, through the kernel's drivers; no libxen. What the kernel does by
// itself when a process or a domain dies (bytes cleared, ports kicked, pages given back) is not done here.
import { parseDomid } from '../../../protocol/conduit.js'
import { type Domid, domid, type EvtchnPort, type Gref } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { XenstoreClient } from '../../xenstore/client.js'
import type { OpenXenstoreTransport, XenstoreTransport } from '../../xenstore/transport.js'
import type { EventChannel, MapOptions, Mapping, Share, ShareOptions, Substrate } from '../substrate.js'
import { Devices } from './devices.js'
import { EventTable } from './event-table.js'
import { GrantedPages } from './granted-pages.js'
import { MappedPages } from './mapped-pages.js'
import { xenStore } from './store-path.js'

export interface XenOptions {
  /** Connects to the store; by default as libxenstore does. */
  readonly store?: OpenXenstoreTransport | undefined
  /** For tests: allow a peer that is this domain itself, which kernels have crashed at. */
  readonly loopback?: boolean | undefined
}

export class XenSubstrate implements Substrate {
  readonly kind = 'xen'
  readonly #options: XenOptions
  readonly #openStore: OpenXenstoreTransport
  readonly #store: XenstoreClient
  readonly #devices = new Devices()
  readonly #ports = new EventTable(this.#devices)
  readonly #granted = new GrantedPages(this.#devices)
  readonly #mapped = new MappedPages(this.#devices)
  readonly #transports = new Set<XenstoreTransport>()
  #domid: Domid
  #closed = false

  private constructor(options: XenOptions, openStore: OpenXenstoreTransport, store: XenstoreClient, own: Domid) {
    this.#options = options
    this.#openStore = openStore
    this.#store = store
    this.#domid = own
  }

  /**
   * Find out which domain this is. Devices are opened when they are first needed.
   * @throws ConduitError SUBSTRATE_UNAVAILABLE, ENOENT, ECONNREFUSED, EACCES, EMFILE
   */
  static async open(options: XenOptions = {}): Promise<XenSubstrate> {
    const openStore = options.store ?? xenStore()
    const store = await XenstoreClient.open(openStore)
    try {
      const substrate = new XenSubstrate(options, openStore, store, await readDomid(store))
      // After a restore the domain has another number, and none of its grants and ports.
      await store.watch('domid', () => void substrate.#lookAtDomid())
      return substrate
    } catch (error) {
      await store.close()
      throw error
    }
  }

  get domid(): Domid {
    return this.#domid
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
    return { ...forward(transport), close: () => this.#drop(transport) }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#giveBack()
    this.#ports.close()
    this.#devices.close()
    await this.#store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #giveBack(): void {
    this.#granted.close()
    this.#mapped.close()
  }

  #drop(transport: XenstoreTransport): void {
    this.#transports.delete(transport)
    transport.close()
  }

  async #lookAtDomid(): Promise<void> {
    const now = await readDomid(this.#store).catch(() => this.#domid)
    if (this.#closed || now === this.#domid) return
    this.#domid = now
    this.#giveBack()
    // Channels find their pages gone and fail; the clients of the store begin anew, and with them names and watches.
    this.#ports.wakeAll()
    for (const transport of this.#transports) this.#drop(transport)
  }

  #checkOpen(): void {
    if (!this.#closed) return
    throw new ConduitError('SUBSTRATE_LOST', 'this environment was closed', { hint: 'open another one' })
  }

  #checkPeer(peer: Domid): void {
    this.#checkOpen()
    if (peer !== this.#domid || this.#options.loopback === true) return
    throw new ConduitError('EINVAL', `domain ${peer} is this domain: Xen shares pages between two`, {
      domid: peer,
      hint: 'within one domain use the local backend: CONDUIT_BACKEND=local for both ends',
    })
  }
}

/** Every domain may read its own. @throws ConduitError SUBSTRATE_UNAVAILABLE when it is no number. */
async function readDomid(store: XenstoreClient): Promise<Domid> {
  const text = await store.readText('domid')
  const number = parseDomid(text)
  if (number !== undefined) return domid(number)
  throw new ConduitError('SUBSTRATE_UNAVAILABLE', `the store says this is domain ${JSON.stringify(text)}`, {
    hint: 'dom0 needs xen-init-dom0, which writes /local/domain/0/domid',
  })
}

const forward = (transport: XenstoreTransport): XenstoreTransport => ({
  send: (bytes) => transport.send(bytes),
  onData: (receiver) => transport.onData(receiver),
  onClose: (listener) => transport.onClose(listener),
  ref: () => transport.ref(),
  unref: () => transport.unref(),
  close: () => transport.close(),
})
