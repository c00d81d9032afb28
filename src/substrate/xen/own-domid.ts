// Which domain this is: what the store says under the relative key `domid`, watched, since a domain that was saved and
// restored is another one. What is to be done then is the substrate's.
import { parseDomid } from '../../../protocol/conduit.js'
import { type Domid, domid } from '../../../protocol/xen.js'
import { ConduitError, isConduitError } from '../../errors.js'
import { XenstoreClient } from '../../xenstore/client.js'
import type { OpenXenstoreTransport } from '../../xenstore/transport.js'

export class OwnDomid {
  readonly #store: XenstoreClient
  #domid: Domid
  /** Runs when the domain has become another one. */
  onChange: () => void = () => undefined

  private constructor(store: XenstoreClient, own: Domid) {
    this.#store = store
    this.#domid = own
  }

  /** @throws ConduitError SUBSTRATE_UNAVAILABLE when the store is not there or does not answer, EMFILE; the signal's reason */
  static async ask(openStore: OpenXenstoreTransport, timeoutMs: number, signal?: AbortSignal): Promise<OwnDomid> {
    const limit = new AbortController()
    const stop = () => limit.abort(signal?.reason)
    const timer = setTimeout(() => limit.abort(silent(timeoutMs)), timeoutMs)
    signal?.addEventListener('abort', stop)
    try {
      signal?.throwIfAborted()
      const opening = XenstoreClient.open(openStore)
      const store = await unlessAborted(opening, limit.signal, (late) => void late.close())
      return await OwnDomid.#watch(store, limit.signal)
    } catch (error) {
      throw isConduitError(error) ? unavailable(error) : error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
  }

  static async #watch(store: XenstoreClient, limit: AbortSignal): Promise<OwnDomid> {
    try {
      const asking = readDomid(store)
      const own = new OwnDomid(store, await unlessAborted(asking, limit))
      await unlessAborted(
        store.watch('domid', () => void own.#look()),
        limit,
      )
      return own
    } catch (error) {
      await store.close()
      throw error
    }
  }

  get domid(): Domid {
    return this.#domid
  }

  async close(): Promise<void> {
    this.onChange = () => undefined
    await this.#store.close()
  }

  async #look(): Promise<void> {
    // Between the toolstack's removal and its next write there is none; the write is another event.
    const now = await readDomid(this.#store).catch(() => this.#domid)
    if (now === this.#domid) return
    this.#domid = now
    this.onChange()
  }
}

/** Every domain may read its own. @throws ConduitError SUBSTRATE_UNAVAILABLE when it is no number. */
async function readDomid(store: XenstoreClient): Promise<Domid> {
  const text = await store.readText('domid')
  const number = parseDomid(text)
  if (number !== undefined) return domid(number)
  throw new ConduitError(
    'SUBSTRATE_UNAVAILABLE',
    `the store says this is domain ${JSON.stringify(text.slice(0, 32))}`,
    {
      hint: 'dom0 needs xen-init-dom0, which writes /local/domain/0/domid',
    },
  )
}

/** What comes too late is given to `discard`. */
async function unlessAborted<T>(pending: Promise<T>, signal: AbortSignal, discard?: (late: T) => void): Promise<T> {
  let stop: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([pending, aborted])
  } catch (error) {
    pending.then(discard, () => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

const silent = (timeoutMs: number): ConduitError =>
  new ConduitError('SUBSTRATE_UNAVAILABLE', `the store has not answered for ${timeoutMs} ms`, {
    hint: 'xenstored in dom0 is stopped or hangs: look at its service there (systemctl status xenstored)',
  })

/** One code for all ways in which there is no store to be a domain of. */
function unavailable(error: ConduitError): ConduitError {
  if (error.code === 'SUBSTRATE_UNAVAILABLE' || error.code === 'EMFILE' || error.code === 'ADDON_MISSING') return error
  const { errno, syscall, endpoint } = error
  const hint =
    error.code === 'ENOENT' && syscall === 'READ'
      ? 'dom0 needs xen-init-dom0, which writes /local/domain/0/domid'
      : (error.hint ?? 'is xenstored running? conduit-cat doctor looks closer')
  return new ConduitError('SUBSTRATE_UNAVAILABLE', `which domain is this? ${error.message}`, {
    errno,
    syscall,
    endpoint,
    hint,
    cause: error,
  })
}
