// Whether anybody gives out names in the xenstore of this machine: `doctor` asks, since a mark of one that has died says
// nothing.
import { HOST_ID_PATH, parseDomid } from '../../protocol/conduit.js'
import { untilAborted } from '../conduit/deadline.js'
import { type ProbeOptions, registrarAnswers } from '../conduit/registrar-probe.js'
import { ConduitError, isConduitError } from '../errors.js'
import { XenstoreClient } from '../xenstore/client.js'
import type { OpenXenstoreTransport } from '../xenstore/transport.js'
import type { Check } from './doctor-check.js'

/** A store that has not answered by then hangs. */
const STORE_TIMEOUT_MS = 5000
const NAME = 'registrar'
const FIX =
  'in dom0: systemctl start conduit-registrar, or run conduit-registrar (see its unit, conduit-registrar.service)'

/** @param connect with the rights of the domain that this is */
export async function registrarCheck(connect: OpenXenstoreTransport, options: ProbeOptions = {}): Promise<Check> {
  const store = await XenstoreClient.open(connect, { reconnect: false })
  store.ref()
  try {
    return await untilAborted(ask(store, options), AbortSignal.timeout(STORE_TIMEOUT_MS)).catch(silentStore)
  } finally {
    store.unref()
    await store.close()
  }
}

async function ask(store: XenstoreClient, options: ProbeOptions): Promise<Check> {
  const own = parseDomid(await store.readText('domid'))
  if (own === undefined) throw new ConduitError('XENSTORE_PROTOCOL', 'the store does not say which domain this is')
  if (await registrarAnswers(store, own, options)) return { name: NAME, state: 'ok', text: 'answers: names can be had' }
  const once = await store.exists(HOST_ID_PATH).catch(hidden)
  const text = once ? 'does not answer: it has run here, and is gone or stopped' : 'none has ever run on this host'
  return { name: NAME, state: 'fail', text, fix: FIX }
}

/** C xenstored tells a guest nothing below a directory that it may not list; the registrar makes /conduit readable. */
function hidden(error: unknown): boolean {
  if (!isConduitError(error, 'EACCES')) throw error
  return false
}

function silentStore(error: unknown): never {
  if ((error as Error).name !== 'TimeoutError') throw error
  throw new ConduitError('ETIMEDOUT', `the store has not answered for ${STORE_TIMEOUT_MS} ms`, {
    hint: 'xenstored hangs or is stopped: look at it in dom0',
  })
}
