// How a held connection gets to its service: the three ways have this in common. Types only.
import type { Duplex } from 'node:stream'
import type { Service } from '../summon.js'
import type { HeldConnection } from './held-connection.js'

export interface Handover {
  /** Most bytes of a client to take before; 0 when the descriptor goes over whole. */
  readonly keepBytes: number
  /** Connections that run through this process. */
  readonly relayed: number
  /**
   * Hand one over; calls are served in their order. Resolves when the service has it; until then the connection is the caller's.
   * @throws ConduitError ETIMEDOUT when nobody took it, ECONNRESET when who took it died; the reason of the connection's `gone`
   */
  hand(connection: HeldConnection, service: Service): Promise<void>
  /**
   * Connect to the service by a channel that it has from before it runs; resolves when it serves. Where there is none: a handover that
   * takes its connections otherwise.
   */
  readonly openChannel?: ((address: string, signal: AbortSignal) => Promise<Duplex>) | undefined
  /** Hand one over by what {@link openChannel} has opened. */
  relay?(connection: HeldConnection, stream: Duplex, service: Service): void
  /** Drop what is relayed: both sides see a reset. */
  reset(): void
}
