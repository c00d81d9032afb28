// A C program on libxenvchan and the SDK at the two ends of a connection, wherever they run.
import type { ConduitSocket } from '../../src/vchan/socket.js'
import type { PeerLine } from '../../testbed/vchan-peer-process.js'

/** Which end is C's. */
export type CRole = 'server' | 'client'

/** testbed/peers' program, under way. */
export interface InteropPeer {
  /** The line of that event, once it is there. Rejects when the program ends without it. */
  line(event: string): Promise<PeerLine>
  readonly exit: Promise<{ readonly status: number | null }>
}

export interface InteropWorld {
  /**
   * A C program in that role, with that job, and the SDK at the other end.
   * @param ringBytes of the server's rings, whichever it is; 0: in the control page
   */
  meet(
    role: CRole,
    job: readonly string[],
    ringBytes: number,
  ): Promise<{ readonly peer: InteropPeer; readonly socket: ConduitSocket }>
  close(): Promise<void>
}
