// The names that one process holds: one listener a name, shared by its ports, given back with the last of them.
import type { ConduitContext } from './context.js'
import { Listener } from './listener.js'
import type { PortHandler } from './port-handler.js'

/** A port's hold on a name. */
export interface ListenHandle {
  /** Refuse new connections. */
  stop(): void
  /** After the last connection has ended: the name may go. Until then its clients take its removal for our death. */
  release(): Promise<void>
}

interface Entry {
  readonly listener: Promise<Listener>
  handles: number
  closed: Promise<void> | undefined
}

export class ListenerTable {
  readonly #context: ConduitContext
  readonly #entries = new Map<string, Entry>()

  constructor(context: ConduitContext) {
    this.#context = context
  }

  /** @throws ConduitError EADDRINUSE, EACCES, XENSTORE_QUOTA; the signal's reason. */
  async listen(
    name: string,
    port: string | undefined,
    handler: PortHandler,
    signal: AbortSignal,
  ): Promise<ListenHandle> {
    const entry = await this.#hold(name, signal)
    let listener: Listener
    try {
      listener = await entry.listener
      listener.addPort(port, handler)
    } catch (error) {
      await this.#release(name, entry)
      throw error
    }
    let released: Promise<void> | undefined
    const stop = () => {
      if (released === undefined) listener.removePort(port, handler)
    }
    const release = () => {
      stop()
      released ??= this.#release(name, entry)
      return released
    }
    return { stop, release }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries].map(([name, entry]) => this.#close(name, entry)))
  }

  /** A name that is just being given back has to be gone before it can be asked for again. */
  async #hold(name: string, signal: AbortSignal): Promise<Entry> {
    let entry = this.#entries.get(name)
    while (entry?.closed !== undefined) {
      await entry.closed
      entry = this.#entries.get(name)
    }
    if (entry === undefined) {
      entry = { listener: Listener.open(this.#context, name, signal), handles: 0, closed: undefined }
      this.#entries.set(name, entry)
    }
    // Without a pause since the look at `closed`: the last holder may be leaving in this very turn.
    entry.handles++
    return entry
  }

  async #release(name: string, entry: Entry): Promise<void> {
    if (--entry.handles === 0) await this.#close(name, entry)
  }

  #close(name: string, entry: Entry): Promise<void> {
    entry.closed ??= entry.listener
      .then(
        (listener) => listener.close(),
        () => undefined,
      )
      .finally(() => this.#entries.get(name) === entry && this.#entries.delete(name))
    return entry.closed
  }
}
