// The local substrate: what share, map, listen and bind are between processes of one user. Files and events come
// from the kernel, the other side from the local hypervisor; a peer's death from the peer's own socket pair.
import { Socket } from 'node:net'
import { type ControlMessage, ControlType } from '../../../protocol/local-control.js'
import type { Domid, EvtchnPort, Gref } from '../../../protocol/xen.js'
import { native } from '../../native.js'
import type { XenstoreTransport } from '../../xenstore/transport.js'
import { socketTransport } from '../../xenstore/unix-socket-transport.js'
import type { EventChannel, GrantBudget, MapOptions, Mapping, Share, ShareOptions, Substrate } from '../substrate.js'
import { type Acquaintance, Acquaintances } from './acquaintances.js'
import { Attachment, type AttachOptions } from './attachment.js'
import { hypercall } from './hypercall.js'
import { OwnMappings } from './own-mappings.js'
import { OwnPorts } from './own-ports.js'
import { OwnShares } from './own-shares.js'

/** Memory is what runs out. */
const UNCOUNTED: GrantBudget = { limit: Number.POSITIVE_INFINITY, held: 0 }

export class LocalSubstrate implements Substrate {
  readonly kind = 'local'
  readonly grantBudget = UNCOUNTED
  readonly #attachment: Attachment
  readonly #ports: OwnPorts
  readonly #shares: OwnShares
  readonly #mappings: OwnMappings
  readonly #acquaintances = new Acquaintances((dead) => this.#onDeath(dead))

  private constructor(options: AttachOptions) {
    this.#attachment = new Attachment(options, {
      onPush: (message, fds) => this.#onPush(message, fds),
      onReattached: async (hypervisor) => {
        await this.#shares.registerAgain(hypervisor)
        await this.#ports.registerAgain(hypervisor)
      },
    })
    this.#ports = new OwnPorts(this.#attachment, this.#acquaintances)
    this.#shares = new OwnShares(this.#attachment, this.#ports)
    this.#mappings = new OwnMappings(this.#attachment, this.#ports, this.#acquaintances)
  }

  /**
   * Attach to the user's local hypervisor; start it when none runs.
   * @throws ConduitError RUNTIME_DIR, SUBSTRATE_UNAVAILABLE, ADDON_MISSING
   */
  static async attach(options: AttachOptions): Promise<LocalSubstrate> {
    const substrate = new LocalSubstrate(options)
    await substrate.#attachment.open()
    return substrate
  }

  get domid(): Domid {
    return this.#attachment.domid
  }

  share(peer: Domid, pages: number, options: ShareOptions = {}): Promise<Share> {
    return this.#shares.share(peer, pages, options)
  }

  map(peer: Domid, grefs: readonly Gref[], options: MapOptions): Promise<Mapping> {
    return this.#mappings.map(peer, grefs, options)
  }

  listen(peer: Domid): Promise<EventChannel> {
    return this.#ports.listen(peer)
  }

  bind(peer: Domid, remotePort: EvtchnPort): Promise<EventChannel> {
    return this.#ports.bind(peer, remotePort)
  }

  async xenstore(): Promise<XenstoreTransport> {
    const { fds } = await hypercall(this.#attachment, ControlType.XENSTORE, [])
    native().releaseFd(fds[0]!)
    return socketTransport(new Socket({ fd: fds[0]!, readable: true, writable: true }))
  }

  async close(): Promise<void> {
    this.#shares.close()
    this.#mappings.close()
    await this.#ports.close()
    this.#acquaintances.close()
    this.#attachment.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #onPush({ type, words }: ControlMessage, fds: number[]): void {
    if (type === ControlType.PEER) {
      this.#onPeer(words[0]!, fds)
      return
    }
    for (const fd of fds) native().closeFd(fd)
    if (type === ControlType.MAPPED) this.#onMapped(words as [number, number, number, number])
    if (type === ControlType.UNMAPPED) this.#shares.onUnmapped(words[0]!, words[1]!)
  }

  #onPeer(peer: number, [fd, ...more]: readonly number[]): void {
    for (const stray of more) native().closeFd(stray)
    if (fd !== undefined) {
      this.#acquaintances.add(peer, fd)
      return
    }
    this.#acquaintances.miss(peer)
    this.#meetAgain(peer)
  }

  /** What is shared with the peer from now on brings another pair. */
  #meetAgain(peer: number): void {
    this.#attachment.post(ControlType.PEER, [peer])
  }

  #onMapped([firstGref, byteOffset, mapId, peer]: readonly [number, number, number, number]): void {
    const mapper = this.#acquaintances.find(peer)
    if (mapper !== undefined || peer === this.domid) {
      this.#shares.onMapped(firstGref, mapId, { byteOffset, mapper })
      return
    }
    // Dead already, or missed: it has seen our end hang up and takes us for dead.
    this.#shares.clearByte(firstGref, byteOffset)
    this.#ports.onDeath(peer)
  }

  /** Order matters: the bytes before the kicks, whose handlers look at them. */
  #onDeath(dead: Acquaintance): void {
    // What the hypervisor said before the death may still wait in our control socket.
    this.#attachment.drain()
    this.#shares.onDeath(dead)
    this.#mappings.onDeath(dead)
    this.#ports.onDeath(dead.domid)
    // Unless it only had no room for its end: alive, and to be met again before it has said so itself.
    if (this.#acquaintances.find(dead.domid) === undefined) this.#meetAgain(dead.domid)
  }
}
