// The keys of vchan://DOMID/PORT as its server keeps them: beside the two that libxenvchan knows lies the mark of our process, by
// which the next tells keys of one that was killed from keys of one that serves. Keys without a mark are libxenvchan's, and stay.
import { type DirectAddress, formatAddress, PROCESS_KEY, vchanPath, vchansPath } from '../../protocol/conduit.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { XenstoreClient, XenstoreTransaction } from '../xenstore/client.js'
import { freshMark, isDeadMark, markedProcess } from './process-mark.js'
import { type Publication, publishKeys } from './vchan-keys.js'

export class DirectKeys {
  readonly #store: XenstoreClient
  readonly #address: DirectAddress
  readonly #mark = freshMark()

  constructor(store: XenstoreClient, address: DirectAddress) {
    this.#store = store
    this.#address = address
  }

  /** Before anything is made for the client's sake. @throws ConduitError EADDRINUSE */
  async checkFree(place: Pick<Publication, 'path' | 'server'>): Promise<void> {
    await this.#store.transaction((transaction) => this.#look(place, transaction))
  }

  /**
   * All at once, for clients that watch the path itself, as libxenvchan's users do (`xen:tools/libs/vchan/init.c`). Again after the
   * store was lost.
   * @throws ConduitError EADDRINUSE; the signal's reason
   */
  async publish(keys: Publication, signal: AbortSignal): Promise<void> {
    // Not in the transaction: oxenstored forgets what a transaction found missing, and would let two have the place.
    await this.#store.mkdir(vchansPath(keys.server))
    const write = async (transaction: XenstoreTransaction) => {
      if (await this.#look(keys, transaction)) await this.#store.remove(keys.path, { transaction })
      await Promise.all([
        publishKeys(this.#store, keys, { transaction }),
        this.#store.write(`${keys.path}/${PROCESS_KEY}`, this.#mark, { transaction }),
      ])
    }
    await this.#store.transaction(write, { signal })
  }

  /** Take the keys away, if they are still ours, and the client's directory if nothing else is in it. Idempotent. */
  async withdraw({ path, server, client }: Publication): Promise<void> {
    const directory = vchanPath(server, client)
    await this.#store.transaction(async (transaction) => {
      if ((await this.#markAt(path, transaction)) === this.#mark) await this.#store.remove(path, { transaction })
      const left = await this.#store.directory(directory, { transaction }).catch(nothingWhenMissing)
      if (left?.length === 0) await this.#store.remove(directory, { transaction })
    })
  }

  /** Whether there are keys to clear away: our own, or those of one that has died. */
  async #look(
    { path, server }: Pick<Publication, 'path' | 'server'>,
    transaction: XenstoreTransaction,
  ): Promise<boolean> {
    const client = String(this.#address.domid)
    const list = (directory: string) => this.#store.directory(directory, { transaction }).catch(nothingWhenMissing)
    if (!(await list(vchansPath(server)))?.includes(client)) return false
    if (!(await list(vchanPath(server, this.#address.domid)))?.includes(this.#address.port)) return false
    const mark = await this.#markAt(path, transaction)
    if (mark === this.#mark || (mark !== undefined && isDeadMark(mark))) return true
    throw this.#taken(path, mark)
  }

  #markAt(path: string, transaction: XenstoreTransaction): Promise<string | undefined> {
    return this.#store.readText(`${path}/${PROCESS_KEY}`, { transaction }).catch(nothingWhenMissing)
  }

  #taken(path: string, mark: string | undefined): ConduitError {
    const pid = mark === undefined ? undefined : markedProcess(mark)
    const endpoint = formatAddress(this.#address)
    const by = pid === undefined ? '' : ` by process ${pid}`
    return new ConduitError('EADDRINUSE', `${endpoint} is served already${by}`, {
      endpoint,
      hint: `close the other server; where it has ended and left its keys behind: xenstore-rm ${path}`,
    })
  }
}

function nothingWhenMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}
