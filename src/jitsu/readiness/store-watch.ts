// Waiting until the store shows something, through restarts of the store.
import { isConduitError } from '../../errors.js'
import type { XenstoreClient } from '../../xenstore/client.js'

export interface StoreQuestion {
  readonly path: string
  readonly signal: AbortSignal
  /** Whether it is there. Asked once at a time, however many events come. */
  look(): Promise<boolean>
  /** Other reasons to look. Returns how to stop it. */
  readonly onOther?: ((look: () => void) => () => void) | undefined
}

/**
 * Look at first, and again at each event at `path`, until `look` gives true. A store that is lost comes back, or the signal ends
 * the waiting.
 * @throws what `look` rejects with; the signal's reason
 */
export async function untilStoreShows(store: XenstoreClient, question: StoreQuestion): Promise<void> {
  const { signal, path } = question
  signal.throwIfAborted()
  const ended = new AbortController()
  let stop = (): void => undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const again = repeatedly(question.look, resolve, reject)
      const watch = (): void => {
        // Its first event is the first look.
        store.watch(path, again, { signal: ended.signal }).catch((error) => {
          if (ended.signal.aborted) return
          if (!isOutage(error)) return reject(error)
          // Where it could not be had the store's return is the next occasion.
          const once = store.onReconnect(() => {
            once()
            watch()
          })
          ended.signal.addEventListener('abort', once)
        })
      }
      signal.addEventListener('abort', () => reject(signal.reason), { signal: ended.signal })
      stop = question.onOther?.(again) ?? stop
      watch()
    })
  } finally {
    stop()
    ended.abort()
  }
}

/** One look at a time; events that come meanwhile are one more. */
function repeatedly(look: () => Promise<boolean>, found: () => void, failed: (error: unknown) => void): () => void {
  let looking = false
  let wanted = false
  const again = async (): Promise<void> => {
    wanted = true
    if (looking) return
    looking = true
    while (wanted) {
      wanted = false
      try {
        if (await look()) return found()
      } catch (error) {
        if (!isOutage(error)) return failed(error)
      }
    }
    looking = false
  }
  return () => void again()
}

const isOutage = (error: unknown): boolean => isConduitError(error, 'XENSTORE_DISCONNECTED')
