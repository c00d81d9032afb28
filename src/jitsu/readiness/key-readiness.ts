// Ready when the guest has written a key of its own into the store.
import { domainPath } from '../../../protocol/conduit.js'
import type { Domid } from '../../../protocol/xen.js'
import { isConduitError } from '../../errors.js'
import { afterDelay } from './delay-readiness.js'
import type { ReadinessContext } from './readiness.js'
import { untilStoreShows } from './store-watch.js'

export interface WantedKey {
  /** Below `/local/domain/<domid>`. */
  readonly key: string
  /** Any value will do where it is undefined. */
  readonly value?: string | undefined
  /** How long after the key. */
  readonly delaySeconds: number
}

/** @throws the signal's reason */
export async function keyWritten(context: ReadinessContext, wanted: WantedKey): Promise<void> {
  const { domains, signal, missing } = context
  const what = wanted.value === undefined ? wanted.key : `${wanted.key} = ${JSON.stringify(wanted.value)}`
  missing(`it has not written ${what} below its /local/domain/DOMID`)
  const ended = new AbortController()
  const watching = AbortSignal.any([signal, ended.signal])
  const watched = new Set<Domid>()
  let stop = (): void => undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const watchAll = (): void => {
        for (const domid of domains.domids) {
          if (watched.has(domid)) continue
          watched.add(domid)
          keyOf(context, domid, wanted, watching).then(resolve, reject)
        }
      }
      signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: ended.signal })
      stop = domains.onChange(watchAll)
      watchAll()
    })
  } finally {
    stop()
    ended.abort()
  }
  if (wanted.delaySeconds > 0) await afterDelay(context, wanted.delaySeconds * 1000)
}

function keyOf(
  { store, alive }: ReadinessContext,
  domid: Domid,
  { key, value }: WantedKey,
  signal: AbortSignal,
): Promise<void> {
  const path = `${domainPath(domid)}/${key}`
  return untilStoreShows(store, {
    path,
    signal,
    look: async () => {
      try {
        const found = await store.readText(path)
        alive()
        return value === undefined || found === value
      } catch (error) {
        if (isConduitError(error, 'ENOENT')) return false
        throw error
      }
    },
  })
}
