// The public call by which a program takes TCP connections that jitsud accepted while it was not running yet.
import { HANDOVER_VARIABLE } from '../../protocol/handover.js'
import { systemClock } from '../conduit/clock.js'
import { type AdoptOptions, type AdoptTarget, checkAdoptArguments, socketBehaviour } from './adopt-options.js'
import { AdoptedConnections } from './adopted-connections.js'

/** How long jitsud may take to answer unless it is said otherwise. */
const TIMEOUT_MS = 10_000

/**
 * Take the TCP connections that jitsud holds for this service (`"handover": "fd"`), those that wait and those to come. Each is
 * a net.Socket of this process alone, with everything that the client sent from the first byte on. Resolves with undefined where
 * no jitsud launched the program: listen on an address then. A process that is killed resets what it has adopted.
 * @throws TypeError, RangeError; ConduitError EACCES when this process is none that the launcher started, ECONNREFUSED when
 * jitsud has gone, ETIMEDOUT, EMFILE, ADDON_MISSING; the signal's reason.
 *
 * @example
 * const server = http.createServer(answer)
 * if ((await adoptConnections(server)) === undefined) server.listen(8080)
 */
export async function adoptConnections(
  target: AdoptTarget,
  options: AdoptOptions = {},
): Promise<AdoptedConnections | undefined> {
  checkAdoptArguments(target, options)
  const { signal, path = process.env[HANDOVER_VARIABLE], timeoutMs = TIMEOUT_MS } = options
  signal?.throwIfAborted()
  if (path === undefined || path === '') return undefined
  const behaviour = socketBehaviour(target, options)
  const adopted = new AdoptedConnections({ path, target, behaviour, clock: systemClock, timeoutMs })
  await adopted.attach(signal)
  signal?.addEventListener('abort', () => void adopted.close(), { once: true })
  return adopted
}
