// Connections within one domain, where the substrate shares pages between two: they go through another environment, opened
// by the first who needs it. Servers listen in both; what is held by this very domain is connected to there.
import { type Address, formatAddress } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { Conduit } from './conduit.js'
import type { ConnectOptions } from './connect-options.js'
import type { ConduitContext } from './context.js'
import { untilAborted } from './deadline.js'
import type { DialedChannel } from './dialer.js'

/** Thrown where a name turns out to be held by this domain. Never leaves this folder. */
export class HeldHere extends Error {}

export class Loopback {
  readonly #open: () => Promise<Conduit>
  #conduit: Promise<Conduit> | undefined
  #closed = false

  constructor(open: () => Promise<Conduit>) {
    this.#open = open
  }

  /** @throws what opening throws; the next call tries again */
  conduit(): Promise<Conduit> {
    if (this.#closed) return Promise.reject(new ConduitError('ECONNRESET', 'the environment was closed'))
    this.#conduit ??= this.#open().catch((error: unknown) => {
      this.#conduit = undefined
      throw error
    })
    return this.#conduit
  }

  /** `options.signal` bounds it all. @throws ConduitError as connect() */
  async dial(address: Address, options: ConnectOptions & { readonly signal: AbortSignal }): Promise<DialedChannel> {
    const conduit = await untilAborted(this.conduit(), options.signal)
    const { layout: _layout, ...rest } = options
    return conduit.dial(address, { ...rest, timeoutMs: 0 }).catch((error: unknown) => {
      throw isConduitError(error, 'ENOENT') ? notServedHere(address, error) : error
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const conduit = await this.#conduit?.catch(() => undefined)
    await conduit?.close()
  }
}

/** Of a server just found: whether it is to be connected to at all here. @throws HeldHere */
export function refuseOwn({ loopback, substrate }: ConduitContext, server: Domid): void {
  if (loopback !== undefined && server === substrate.domid) throw new HeldHere()
}

/**
 * vchan://DOMID/PORT of this very domain as a name: there, each process is a domain of its own, whose number nobody outside
 * knows. Undefined for every other address.
 */
export function ownAddress({ loopback, substrate }: ConduitContext, address: Address): Address | undefined {
  if (loopback === undefined || address.kind !== 'direct' || address.domid !== substrate.domid) return undefined
  const name = `vchan-${address.port.toLowerCase()}`.slice(0, 63)
  return { kind: 'name', name, port: undefined }
}

const notServedHere = (address: Address, cause: unknown): ConduitError =>
  new ConduitError('ECONNREFUSED', `this domain serves ${formatAddress(address)}, and not to this user's processes`, {
    endpoint: formatAddress(address),
    hint: 'within one domain both ends must be of one user, with the same CONDUIT_RUNTIME_DIR',
    cause,
  })
