// The ports of this process, its own and those of peers that it has bound.
import { ControlType } from '../../../protocol/local-control.js'
import { type Domid, type EvtchnPort, evtchnPort } from '../../../protocol/xen.js'
import { native, systemError } from '../../native.js'
import type { EventChannel, UnmapNotify } from '../substrate.js'
import type { Acquaintances } from './acquaintances.js'
import type { Attachment } from './attachment.js'
import type { ControlClient } from './control-client.js'
import { EventPort } from './event-port.js'
import { hypercall } from './hypercall.js'

interface OwnPort {
  readonly port: EventPort
  readonly peer: Domid
  readonly listening: boolean
}

export class OwnPorts {
  readonly #attachment: Attachment
  readonly #acquaintances: Acquaintances
  readonly #ports = new Map<number, OwnPort>()
  #lastPort = 1

  constructor(attachment: Attachment, acquaintances: Acquaintances) {
    this.#attachment = attachment
    this.#acquaintances = acquaintances
  }

  async listen(peer: Domid): Promise<EventChannel> {
    const number = this.#takeNumber()
    const [readFd, writeFd] = eventPair()
    try {
      await hypercall(this.#attachment, ControlType.LISTEN, [number, peer], [readFd, writeFd])
    } catch (error) {
      for (const fd of [readFd, writeFd]) native().closeFd(fd)
      throw error
    }
    // Only now: a new hypervisor is told of what the last one had accepted.
    return this.#add(number, peer, { readFd, writeFd, listening: true })
  }

  async bind(peer: Domid, remotePort: EvtchnPort): Promise<EventChannel> {
    const number = this.#takeNumber()
    const { fds } = await hypercall(this.#attachment, ControlType.BIND, [peer, remotePort, number])
    try {
      if (peer !== this.#attachment.domid) this.#acquaintances.require(peer, 'EVTCHN_INVALID')
    } catch (error) {
      for (const fd of fds) native().closeFd(fd)
      this.#attachment.post(ControlType.CLOSE_PORT, [number])
      throw error
    }
    return this.#add(number, peer, { readFd: fds[0]!, writeFd: fds[1]!, listening: false })
  }

  /** What pages are to do when they go: clear the byte, kick the port. */
  async notification(
    onUnmap: UnmapNotify | undefined,
  ): Promise<{ byteOffset: number; port: EventPort | undefined } | undefined> {
    if (onUnmap === undefined) return undefined
    return { byteOffset: onUnmap.byteOffset, port: this.#ports.get(await onUnmap.port)?.port }
  }

  /** Its peer is dead: whoever listens is to look. */
  onDeath(domid: number): void {
    for (const { port, peer } of this.#ports.values()) if (peer === domid) port.raise()
  }

  /** Tell a new hypervisor what can still be bound. */
  async registerAgain(hypervisor: ControlClient): Promise<void> {
    for (const [number, { port, peer, listening }] of this.#ports) {
      const register = () => hypervisor.request(ControlType.LISTEN, [number, peer], [port.readFd, port.writeFd])
      if (listening) await register().catch(forgoOne)
    }
  }

  async close(): Promise<void> {
    for (const { port } of this.#ports.values()) await port.close()
  }

  #takeNumber(): EvtchnPort {
    do this.#lastPort = (this.#lastPort % 0x7fff_ffff) + 1
    while (this.#ports.has(this.#lastPort))
    return evtchnPort(this.#lastPort)
  }

  #add(number: EvtchnPort, peer: Domid, ends: { readFd: number; writeFd: number; listening: boolean }): EventPort {
    const port = new EventPort({
      port: number,
      readFd: ends.readFd,
      writeFd: ends.writeFd,
      loopback: peer === this.#attachment.domid,
      onClose: () => {
        this.#ports.delete(number)
        this.#attachment.post(ControlType.CLOSE_PORT, [number])
      },
    })
    this.#ports.set(number, { port, peer, listening: ends.listening })
    return port
  }
}

/** One that cannot be registered cannot be bound anew; whoever has bound it is not concerned. */
function forgoOne(): void {}

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
