// The local substrate: what share, map, listen and bind are between processes of one user. Files and events come
// from the kernel, the other side from the local hypervisor; a peer's death from the peer's own socket pair.
import { Socket } from 'node:net'
import { type ControlMessage, ControlStatus, ControlType, NONE } from '../../../protocol/local-control.js'
import { type Domid, type EvtchnPort, evtchnPort, GREF_FIRST, type Gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { native, systemError } from '../../native.js'
import type { XenstoreTransport } from '../../xenstore/transport.js'
import { socketTransport } from '../../xenstore/unix-socket-transport.js'
import type { EventChannel, MapOptions, Mapping, Share, ShareOptions, Substrate, UnmapNotify } from '../substrate.js'
import { Acquaintances } from './acquaintances.js'
import { type Answer, Attachment, type AttachOptions } from './attachment.js'
import { EventPort } from './event-port.js'
import { LocalPages } from './local-pages.js'
import { mapSegments, ownerNotifyBytes } from './map-answer.js'

interface OwnShare {
  readonly pages: LocalPages
  readonly peer: Domid
  readonly memfd: number
  readonly registration: readonly number[]
  /** Bytes to clear when the peer dies, by its map id. */
  readonly mapped: Map<number, number>
}

interface OwnMapping {
  readonly pages: LocalPages
  readonly peer: Domid
  /** Bytes to clear when the owner dies, counted from the mapping's start. */
  readonly ownerBytes: readonly number[]
}

interface OwnPort {
  readonly port: EventPort
  readonly peer: Domid
  readonly listening: boolean
}

/** First gref of the next share starts again from the lowest above this. */
const GREF_WRAP = 0xf000_0000

const REFUSALS: Partial<Record<ControlStatus, readonly ['GRANT_INVALID' | 'GRANT_LIMIT' | 'EVTCHN_INVALID', string]>> =
  {
    [ControlStatus.BAD_GRANT]: ['GRANT_INVALID', 'the peer has not granted these pages to this domain, or has gone'],
    [ControlStatus.LIMIT]: ['GRANT_LIMIT', 'the local hypervisor keeps no more pages or ports for one domain'],
    [ControlStatus.BAD_PORT]: ['EVTCHN_INVALID', 'the peer has no such port for this domain, or it is bound already'],
  }

export class LocalSubstrate implements Substrate {
  readonly kind = 'local'
  readonly #shares = new Map<number, OwnShare>()
  readonly #mappings = new Map<number, OwnMapping>()
  readonly #ports = new Map<number, OwnPort>()
  readonly #acquaintances = new Acquaintances((domid) => this.#peerDied(domid))
  #attachment!: Attachment
  #nextGref = GREF_FIRST
  #nextPort = 1
  #nextMapId = 1

  private constructor() {}

  /**
   * Attach to the user's local hypervisor; start it when none runs.
   * @throws ConduitError RUNTIME_DIR, SUBSTRATE_UNAVAILABLE, ADDON_MISSING
   */
  static async attach(options: AttachOptions): Promise<LocalSubstrate> {
    const substrate = new LocalSubstrate()
    substrate.#attachment = await Attachment.open(options, {
      onPush: (message, fds) => substrate.#onPush(message, fds),
      onReattached: () => substrate.#registerAgain(),
    })
    return substrate
  }

  get domid(): Domid {
    return this.#attachment.domid
  }

  async share(peer: Domid, pages: number, options: ShareOptions = {}): Promise<Share> {
    const firstGref = this.#takeGrefs(pages)
    const grefs = Array.from({ length: pages }, (_, index) => (firstGref + index) as Gref)
    const memfd = sharedFile(pages)
    const writable = options.access === 'r' ? 0 : 1
    const registration = [firstGref, pages, peer, writable, options.onUnmap?.byteOffset ?? NONE]
    let share: LocalPages
    try {
      share = new LocalPages({
        segments: [{ fd: memfd, firstPage: 0, pages }],
        writable: true,
        grefs,
        notify: this.#notification(options.onUnmap),
        onClose: () => {
          this.#shares.delete(firstGref)
          native().closeFd(memfd)
          this.#attachment.post(ControlType.UNGRANT, [firstGref])
        },
      })
    } catch (error) {
      native().closeFd(memfd)
      throw error
    }
    this.#shares.set(firstGref, { pages: share, peer, memfd, registration, mapped: new Map() })
    await this.#ask(ControlType.GRANT, registration, [memfd], () => share.close())
    return share
  }

  async map(peer: Domid, grefs: readonly Gref[], options: MapOptions): Promise<Mapping> {
    const mapId = this.#nextMapId
    this.#nextMapId = (mapId % (NONE - 1)) + 1
    const writable = options.access === 'rw'
    const words = [peer, writable ? 1 : 0, options.onUnmap?.byteOffset ?? NONE, mapId, ...grefs]
    const answer = await this.#ask(ControlType.MAP, words, [])
    try {
      const pages = new LocalPages({
        segments: mapSegments(answer, grefs.length),
        writable,
        grefs,
        notify: this.#notification(options.onUnmap),
        onClose: () => {
          this.#mappings.delete(mapId)
          this.#attachment.post(ControlType.UNMAP, [mapId])
        },
      })
      this.#mappings.set(mapId, { pages, peer, ownerBytes: ownerNotifyBytes(answer.words) })
      return pages
    } catch (error) {
      this.#attachment.post(ControlType.UNMAP, [mapId])
      throw error
    } finally {
      // The mapping keeps the memory; the descriptors have served.
      for (const fd of answer.fds) native().closeFd(fd)
    }
  }

  async listen(peer: Domid): Promise<EventChannel> {
    const number = this.#takePort()
    const [readFd, writeFd] = eventPair()
    const port = this.#addPort(number, peer, { readFd, writeFd, listening: true })
    await this.#ask(ControlType.LISTEN, [number, peer], [readFd, writeFd], () => void port.close())
    return port
  }

  async bind(peer: Domid, remotePort: EvtchnPort): Promise<EventChannel> {
    const number = this.#takePort()
    const { fds } = await this.#ask(ControlType.BIND, [peer, remotePort, number], [])
    return this.#addPort(number, peer, { readFd: fds[0]!, writeFd: fds[1]!, listening: false })
  }

  async xenstore(): Promise<XenstoreTransport> {
    const { fds } = await this.#ask(ControlType.XENSTORE, [], [])
    native().releaseFd(fds[0]!)
    return socketTransport(new Socket({ fd: fds[0]!, readable: true, writable: true }))
  }

  async close(): Promise<void> {
    for (const { pages } of this.#shares.values()) pages.close()
    for (const { pages } of this.#mappings.values()) pages.close()
    for (const { port } of this.#ports.values()) await port.close()
    this.#acquaintances.close()
    this.#attachment.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #takeGrefs(pages: number): number {
    const first = this.#nextGref
    this.#nextGref = first + pages >= GREF_WRAP ? GREF_FIRST : first + pages
    return first
  }

  #takePort(): EvtchnPort {
    do this.#nextPort = (this.#nextPort % 0x7fff_ffff) + 1
    while (this.#ports.has(this.#nextPort))
    return evtchnPort(this.#nextPort)
  }

  #addPort(number: EvtchnPort, peer: Domid, ends: { readFd: number; writeFd: number; listening: boolean }): EventPort {
    const port = new EventPort({
      port: number,
      readFd: ends.readFd,
      writeFd: ends.writeFd,
      loopback: peer === this.domid,
      onClose: () => {
        this.#ports.delete(number)
        this.#attachment.post(ControlType.CLOSE_PORT, [number])
      },
    })
    this.#ports.set(number, { port, peer, listening: ends.listening })
    return port
  }

  #notification(onUnmap: UnmapNotify | undefined): { byteOffset: number; port: EventPort | undefined } | undefined {
    if (onUnmap === undefined) return undefined
    return { byteOffset: onUnmap.byteOffset, port: this.#ports.get(onUnmap.port)?.port }
  }

  /** Ask the hypervisor; a refusal becomes an error, after `undo`. */
  async #ask(
    type: ControlType,
    words: readonly number[],
    fds: readonly number[],
    undo: () => void = () => {},
  ): Promise<Answer> {
    let answer: Answer
    try {
      answer = await this.#attachment.request(type, words, fds)
    } catch (error) {
      undo()
      throw error
    }
    if (answer.status === ControlStatus.OK) return answer
    undo()
    const [code, why] = REFUSALS[answer.status] ?? (['SUBSTRATE_LOST', 'the local hypervisor refused'] as const)
    throw new ConduitError(code, why, { syscall: requestName(type) })
  }

  #onPush({ type, words }: ControlMessage, fds: number[]): void {
    if (type === ControlType.PEER && fds.length === 1) {
      this.#acquaintances.add(words[0]!, fds[0]!)
      return
    }
    for (const fd of fds) native().closeFd(fd)
    const share = this.#shares.get(words[0]!)
    if (type === ControlType.MAPPED && words[1]! < (share?.pages.bytes ?? 0)) share?.mapped.set(words[2]!, words[1]!)
    if (type === ControlType.UNMAPPED) share?.mapped.delete(words[1]!)
  }

  #peerDied(domid: number): void {
    // What the hypervisor said before the death may still wait in our control socket.
    this.#attachment.drain()
    for (const { pages, peer, mapped } of this.#shares.values()) {
      if (peer !== domid) continue
      for (const byteOffset of mapped.values()) pages.clearByte(byteOffset)
      mapped.clear()
    }
    for (const { pages, peer, ownerBytes } of this.#mappings.values()) {
      if (peer === domid) for (const byteOffset of ownerBytes) pages.clearByte(byteOffset)
    }
    for (const { port, peer } of this.#ports.values()) if (peer === domid) port.raise()
  }

  /** A new hypervisor knows nothing: tell it what can still be mapped or bound. */
  #registerAgain(): void {
    for (const { registration, memfd } of this.#shares.values()) {
      this.#attachment.post(ControlType.GRANT, registration, [memfd])
    }
    for (const [number, { port, peer, listening }] of this.#ports) {
      if (listening) this.#attachment.post(ControlType.LISTEN, [number, peer], [port.readFd, port.writeFd])
    }
  }
}

function sharedFile(pages: number): number {
  try {
    return native().memfdCreate('conduit', pages * PAGE_BYTES)
  } catch (cause) {
    throw systemError(cause, `make ${pages} pages of shared memory`, 'GRANT_LIMIT')
  }
}

/** Two descriptors: one to read here, one that the other end reads. */
function eventPair(): [number, number] {
  const made: number[] = []
  try {
    made.push(native().eventfdCreate())
    made.push(native().eventfdCreate())
  } catch (cause) {
    for (const fd of made) native().closeFd(fd)
    throw systemError(cause, 'make an event channel')
  }
  return made as [number, number]
}

const requestName = (type: ControlType): string =>
  Object.entries(ControlType).find(([, value]) => value === type)?.[0] ?? String(type)
