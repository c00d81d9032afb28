// What a held address counts, for metrics and `jitsud status`.

/** Connections of one held address since it listens: each is accepted, and then in one of the other counters or waiting. */
export interface HoldCounters {
  readonly accepted: number
  /** Given to the service: as a descriptor, or connected to it. */
  readonly handedOver: number
  /** Reset because `maxConnections` were held already. */
  readonly refused: number
  /** Clients that reset the connection while they waited. */
  readonly gone: number
  /** Reset because the boot failed or took too long, or because the address was given up. */
  readonly failed: number
  /** Reset because the service was ready and did not take them. */
  readonly notTaken: number
  /** Times that nobody could be accepted for want of descriptors or memory; the clients waited in the kernel. */
  readonly outages: number
  /** Waiting for the service now. */
  readonly waiting: number
  /** Bytes of the waiting clients that jitsud keeps now. */
  readonly keptBytes: number
  /** Running through jitsud now. */
  readonly relayed: number
}
