// The domains of one running instance: one for a guest, for a program on this machine those that its processes attached as.
import type { Reservation } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'

export interface InstanceDomains {
  readonly domids: readonly Domid[]
  /** For whom the service's name is kept. */
  readonly reservation: Reservation
  /** Runs whenever `domids` has changed. Returns how to stop it. */
  onChange(listener: () => void): () => void
  /** Idempotent. */
  close(): void
}

/** A guest has the one that it was made with. */
export const domainOf = (domid: Domid): InstanceDomains => ({
  domids: [domid],
  reservation: { kind: 'domain', domid },
  onChange: () => () => undefined,
  close: () => undefined,
})
