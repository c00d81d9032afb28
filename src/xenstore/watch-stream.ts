// A watch as async iteration: the paths that changed since they were last taken, each once.
import type { ConduitError } from '../errors.js'
import { onAbort } from './on-abort.js'
import { closedBySignal, PENDING_PATHS_MAX, type WatchListener, type WatchRegistry } from './watch.js'

/** How a watch is registered, and what ends it. */
export interface WatchOptions {
  /** Ends the watch: no listener hears of it again, and a loop over it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Levels below the path that count, 0 for the node alone. Only where the store has the feature (Xen 4.21). */
  readonly depth?: number | undefined
}

/** Holds what the loop has not taken: bounded, folded into the watch's path when it would grow beyond. */
class Backlog implements WatchListener {
  readonly #path: string
  readonly #paths = new Set<string>()
  #wake = (): void => {}
  ended: { readonly error: ConduitError | undefined } | undefined

  constructor(path: string) {
    this.#path = path
  }

  onEvent(path: string): void {
    const full = this.#paths.size >= PENDING_PATHS_MAX && !this.#paths.has(path)
    if (full) this.#paths.clear()
    this.#paths.add(full ? this.#path : path)
    this.#wake()
  }

  onEnd(error?: ConduitError): void {
    this.ended = { error }
    this.#wake()
  }

  take(): string | undefined {
    const [path] = this.#paths
    if (path !== undefined) this.#paths.delete(path)
    return path
  }

  /** Resolves when there is something to take, or the end. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      if (this.#paths.size > 0 || this.ended !== undefined) resolve()
    })
  }

  wake(): void {
    this.#wake()
  }
}

/** Registers at the first `next()`, unwatches when the loop is left. See XenstoreClient.watches. */
export async function* watchStream(
  registry: WatchRegistry,
  path: string,
  { signal, depth }: WatchOptions,
): AsyncGenerator<string, void, undefined> {
  signal?.throwIfAborted()
  const backlog = new Backlog(path)
  const stopListening = onAbort(signal, () => backlog.wake())
  const adding = registry.add(path, depth, backlog)
  const watch = await (signal === undefined ? adding : closedBySignal(adding, signal))
  try {
    for (;;) {
      signal?.throwIfAborted()
      const next = backlog.take()
      if (next !== undefined) yield next
      else if (backlog.ended === undefined) await backlog.changed()
      else if (backlog.ended.error === undefined) return
      else throw backlog.ended.error
    }
  } finally {
    stopListening()
    const closing = watch.close()
    // Who aborts does not wait for a store that may not answer.
    if (signal?.aborted !== true) await closing
  }
}
