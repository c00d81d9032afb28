// The client's half of a handshake that a toolstack has prepared: the port is there before the server runs, the page is granted
// when the server raises it. Looks at once, since a server that rang before is not heard again, and whenever it rings, since
// binding alone rings once on Xen (`xen/common/event_channel.c`, evtchn_bind_interdomain()).
import { ConduitError, isConduitError } from '../errors.js'
import type { EventChannel, Substrate } from '../substrate/substrate.js'
import type { ChannelParts } from './channel-parts.js'
import { type Address, connectOver } from './connect.js'
import { restored } from './vchan-error.js'

/** Binding rings once, the server once, a queue of events that overflows perhaps: more is a server that rings and grants nothing. */
const LOOKS = 16

/** @throws ConduitError ECONNREFUSED when the port is somebody's, and as connectParts(); the signal's reason */
export async function connectProvisionedParts(
  substrate: Substrate,
  address: Address,
  signal: AbortSignal,
): Promise<ChannelParts> {
  const event = await substrate.bind(address.peer, address.port).catch((error: unknown) => {
    throw isConduitError(error, 'EVTCHN_INVALID') ? taken(address, error) : error
  })
  const bell = new Bell(event, address)
  try {
    for (let looks = 1; ; looks++) {
      signal.throwIfAborted()
      try {
        return await connectOver(substrate, address, event)
      } catch (error) {
        if (looks === LOOKS || !mayCome(error)) throw error
      }
      await bell.rung(signal)
    }
  } catch (error) {
    await event.close()
    throw error
  }
}

/** Not granted, or not filled in: yet. */
const mayCome = (error: unknown): boolean =>
  isConduitError(error, 'GRANT_INVALID') || (isConduitError(error, 'VCHAN_LAYOUT') && error.errno === 'EAGAIN')

/** The events of a port, one at a time; any number that come while nobody waits are one. */
class Bell {
  #rings = false
  #lost: ConduitError | undefined
  #onRing: () => void = () => undefined

  constructor(event: EventChannel, { peer }: Address) {
    event.onEvent((wake) => {
      if (wake === 'lost') this.#lost = restored(peer)
      this.#rings = true
      this.#onRing()
      return 0
    })
  }

  /** @throws ConduitError ECONNRESET when this domain is another one now; the signal's reason */
  async rung(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#rings) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason)
        signal.addEventListener('abort', onAbort, { once: true })
        this.#onRing = () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        }
      })
    }
    this.#rings = false
    if (this.#lost !== undefined) throw this.#lost
  }
}

const taken = ({ peer, port }: Address, cause: ConduitError): ConduitError =>
  new ConduitError('ECONNREFUSED', `port ${port} of domain ${peer} is not to be had: ${cause.message}`, {
    domid: peer,
    hint: 'it was prepared for one client, and another one was first; or the domain has gone',
    cause,
  })
