// That a store has one registrar: its mark beside the host id. A mark alone says nothing, since it outlives a registrar that
// was killed; who finds one asks the registrar before it believes it.
import { randomBytes } from 'node:crypto'
import { HOST_ID_PATH, REGISTRAR_PATH } from '../../protocol/conduit.js'
import { domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { XenstoreClient, XenstoreTransaction } from '../xenstore/client.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import type { Clock } from './clock.js'
import { type ProbeOptions, registrarAnswers } from './registrar-probe.js'

const DOM0 = domid(0)

export class RegistrarClaim {
  readonly #store: XenstoreClient
  readonly #probe: ProbeOptions
  /** For people, the process it was; for telling one from another, the rest. */
  readonly #mark = `${process.pid} ${randomBytes(8).toString('hex')}`
  #watch: XenstoreWatch | undefined

  constructor(store: XenstoreClient, clock?: Clock) {
    this.#store = store
    this.#probe = clock === undefined ? {} : { clock }
  }

  /**
   * Put the mark there, unless a registrar is there already. Needs the host id to be there. Idempotent.
   * @throws ConduitError EADDRINUSE
   */
  async take(): Promise<void> {
    let dead: string | undefined
    for (;;) {
      const holder = await this.#takeFrom(dead)
      if (holder === this.#mark) return
      if (await registrarAnswers(this.#store, DOM0, this.#probe)) throw takenBy(holder)
      dead = holder
    }
  }

  /** Call `onTaken` if another registrar puts its mark there all the same: this one seemed dead to it. */
  async guard(onTaken: (error: ConduitError) => void): Promise<void> {
    this.#watch = await this.#store.watch(REGISTRAR_PATH, () => {
      this.#holder().then(
        (holder) => holder !== undefined && holder !== this.#mark && onTaken(takenBy(holder)),
        // Lost with the store: the watch fires again when that is back.
        () => undefined,
      )
    })
  }

  /** Take the mark away, so that the next registrar need not ask. Idempotent. */
  async release(): Promise<void> {
    await this.#watch?.close()
    if ((await this.#holder()) === this.#mark) await this.#store.remove(REGISTRAR_PATH)
  }

  /** Whose mark is there when all is done: ours if there was none, or that of `dead`. */
  #takeFrom(dead: string | undefined): Promise<string> {
    return this.#store.transaction(async (transaction) => {
      // Listed, not only read: oxenstored forgets what a transaction found missing, and would let two write the mark.
      await this.#store.directory(HOST_ID_PATH, { transaction })
      const holder = await this.#holder(transaction)
      if (holder !== undefined && holder !== dead) return holder
      await this.#store.write(REGISTRAR_PATH, this.#mark, { transaction })
      return this.#mark
    })
  }

  #holder(transaction?: XenstoreTransaction): Promise<string | undefined> {
    return this.#store.readText(REGISTRAR_PATH, { transaction }).catch((error: unknown) => {
      if (!isConduitError(error, 'ENOENT')) throw error
      return undefined
    })
  }
}

const takenBy = (holder: string): ConduitError =>
  new ConduitError('EADDRINUSE', `another registrar serves this store (process ${holder.split(' ', 1)[0]})`, {
    endpoint: REGISTRAR_PATH,
    hint: 'one is enough for all guests: systemctl status conduit-registrar shows the one of the unit; end the other',
  })
