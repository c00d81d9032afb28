// One domain as the local hypervisor records it: its connection, its grants, ports and mappings.
import type { ControlMessage } from '../../../protocol/local-control.js'
import { ControlStatus, type ControlType } from '../../../protocol/local-control.js'
import { native } from '../../native.js'
import type { ControlSocket } from './control-socket.js'
import { GrantTable } from './grant-table.js'

/** A port that its owner listens on. */
export interface PortRecord {
  readonly peer: number
  /** Read by the owner, read by the binder. */
  readonly fds: readonly [number, number]
  boundBy: number | undefined
}

/** A mapping of a peer's pages. */
export interface MapRecord {
  readonly owner: number
  /** The grant that holds the byte to clear when the mapping dies; undefined when there is none. */
  readonly firstGref: number | undefined
}

export class HypervisorDomain {
  readonly domid: number
  /** The process that connected. */
  readonly pid: number
  readonly socket: ControlSocket
  readonly grants = new GrantTable()
  readonly ports = new Map<number, PortRecord>()
  readonly maps = new Map<number, MapRecord>()
  /** Ports of peers that this domain has bound, by its own port: [peer, peer's port]. */
  readonly bound = new Map<number, readonly [number, number]>()
  /** Domains that hold the other end of a liveness pair. */
  readonly acquainted = new Set<number>()

  constructor(domid: number, pid: number, socket: ControlSocket) {
    this.domid = domid
    this.pid = pid
    this.socket = socket
  }

  hasPort(port: number): boolean {
    return this.ports.has(port) || this.bound.has(port)
  }

  get portCount(): number {
    return this.ports.size + this.bound.size
  }

  push(type: ControlType, words: readonly number[], fds: readonly number[] = []): void {
    const message: ControlMessage = { type, status: ControlStatus.OK, sequence: 0, words }
    this.socket.send(message, fds)
  }

  /** Close every descriptor kept for it. */
  close(): void {
    this.grants.close()
    for (const { fds } of this.ports.values()) for (const fd of fds) native().closeFd(fd)
    this.ports.clear()
  }
}
