// What every part of the rendezvous works with, in one process and thread. Made by Conduit, handed down.
import type { Domid } from '../../protocol/xen.js'
import type { Substrate } from '../substrate/substrate.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { Background } from './background.js'
import type { Clock } from './clock.js'
import type { DomainWatch } from './domain-watch.js'
import type { FlowTable } from './flow-table.js'
import type { Loopback } from './loopback.js'
import type { Mailbox } from './mailbox.js'

export interface ConduitContext {
  readonly substrate: Substrate
  readonly store: XenstoreClient
  readonly mailbox: Mailbox
  readonly clock: Clock
  readonly background: Background
  readonly flows: FlowTable
  readonly domains: DomainWatch
  /** Bytes of each ring where the client asks for none: fewer, by default, while grants are short. */
  readonly ringBytes: number
  /** From the request's acceptance until the client is there. */
  readonly handshakeTimeoutMs: number
  /** Where connections within this domain go, if this substrate has none. */
  readonly loopback: Loopback | undefined
  /** How long a name stays wanted after its last connection. */
  readonly lingerMs: number
}

export const ownDomid = (context: ConduitContext): Domid => context.substrate.domid
