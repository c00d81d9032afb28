// One request of a client under a server's name, from its writing to the keys of the channel. Told of events by the route;
// looks for itself and distrusts what it finds.
import { parseEntry } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import { refusal } from './refusal.js'
import { readKeys, type VchanKeys } from './vchan-keys.js'

export interface PendingRequestOptions {
  readonly entryPath: string
  readonly keysPath: string
  readonly server: Domid
  /** The address, for errors. */
  readonly endpoint: string
}

/** The entry is gone though nobody answered: with its directory, or alone. */
export class EntryGone extends Error {}

export class PendingRequest {
  /** The keys, once the server has accepted. */
  readonly keys: Promise<VchanKeys>
  readonly #store: XenstoreClient
  readonly #options: PendingRequestOptions
  #resolve!: (keys: VchanKeys) => void
  #reject!: (error: unknown) => void
  #looks = 0
  #looking = false
  #lookAgain = false

  constructor(store: XenstoreClient, options: PendingRequestOptions) {
    this.#store = store
    this.#options = options
    this.keys = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.keys.catch(() => undefined)
  }

  /** Something happened at the entry. */
  look(): void {
    this.#lookAgain = true
    if (this.#looking) return
    this.#looking = true
    this.#lookUntilSettled().then(
      () => {
        this.#looking = false
      },
      (error) => this.#reject(error),
    )
  }

  async #lookUntilSettled(): Promise<void> {
    while (this.#lookAgain) {
      this.#lookAgain = false
      const keys = await this.#look()
      if (keys !== undefined) this.#resolve(keys)
    }
  }

  async #look(): Promise<VchanKeys | undefined> {
    const { entryPath, keysPath, server, endpoint } = this.#options
    const entry = this.#store.readText(entryPath)
    // The first event is the echo of our own write; from the second on the keys are asked for in the same breath.
    const early = ++this.#looks > 1 ? readKeys(this.#store, keysPath, server) : undefined
    early?.catch(() => undefined)
    const text = await entry.catch((error: unknown) => {
      throw isConduitError(error, 'ENOENT') || isConduitError(error, 'EACCES') ? new EntryGone() : error
    })
    const answer = parseEntry(text)
    if (answer === undefined) {
      throw new ConduitError('CONDUIT_PROTOCOL', `${endpoint} answered ${JSON.stringify(text.slice(0, 64))}`, {
        endpoint,
        domid: server,
        hint: 'the server is of another version, or hostile',
      })
    }
    if (answer.kind === 'refused') throw refusal(answer.code, endpoint, server)
    if (answer.kind === 'connect') return undefined
    // Keys that are not there after all: the server could not write them and is about to say so.
    return await (early ?? readKeys(this.#store, keysPath, server))
  }
}
