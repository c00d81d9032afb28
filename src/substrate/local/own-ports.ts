// The ports of this process, its own and those of peers that it has bound.
import { ControlType } from '../../../protocol/local-control.js'
import { type Domid, type EvtchnPort, evtchnPort } from '../../../protocol/xen.js'
import { native, systemError } from '../../native.js'
import type { EventChannel, UnmapNotify } from '../substrate.js'
import type { Attachment } from './attachment.js'
import { EventPort } from './event-port.js'
import { hypercall } from './hypercall.js'

interface OwnPort {
  readonly port: EventPort
  readonly peer: Domid
  readonly listening: boolean
}

export class OwnPorts {
  readonly #attachment: Attachment
  readonly #ports = new Map<number, OwnPort>()
  #lastPort = 1

  constructor(attachment: Attachment) {
    this.#attachment = attachment
  }

  async listen(peer: Domid): Promise<EventChannel> {
    const number = this.#takeNumber()
    const [readFd, writeFd] = eventPair()
    const port = this.#add(number, peer, { readFd, writeFd, listening: true })
    try {
      await hypercall(this.#attachment, ControlType.LISTEN, [number, peer], [readFd, writeFd])
    } catch (error) {
      await port.close()
      throw error
    }
    return port
  }

  async bind(peer: Domid, remotePort: EvtchnPort): Promise<EventChannel> {
    const number = this.#takeNumber()
    const { fds } = await hypercall(this.#attachment, ControlType.BIND, [peer, remotePort, number])
    return this.#add(number, peer, { readFd: fds[0]!, writeFd: fds[1]!, listening: false })
  }

  /** What pages are to do when they go: clear the byte, kick the port. */
  notification(onUnmap: UnmapNotify | undefined): { byteOffset: number; port: EventPort | undefined } | undefined {
    if (onUnmap === undefined) return undefined
    return { byteOffset: onUnmap.byteOffset, port: this.#ports.get(onUnmap.port)?.port }
  }

  onDeath(domid: number): void {
    for (const { port, peer } of this.#ports.values()) if (peer === domid) port.raise()
  }

  /** Tell a new hypervisor what can still be bound. */
  registerAgain(): void {
    for (const [number, { port, peer, listening }] of this.#ports) {
      if (listening) this.#attachment.post(ControlType.LISTEN, [number, peer], [port.readFd, port.writeFd])
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
