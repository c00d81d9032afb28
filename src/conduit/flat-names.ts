// Names that this domain claims in the flat layout: /conduit/<name> = domid, the last writer wins, nobody checks. Held by
// servers and, while they ask, by clients; taken away after the last of them.
import { CONDUIT_ROOT, isReservedName, namePath, parseOwner } from '../../protocol/conduit.js'
import { ConduitError, isConduitError } from '../errors.js'
import { type ConduitContext, ownDomid } from './context.js'

/** Gives the name back; further calls do nothing. */
export type ReleaseName = () => Promise<void>

export class FlatNames {
  readonly #context: ConduitContext
  readonly #holders = new Map<string, number>()

  constructor(context: ConduitContext) {
    this.#context = context
  }

  /** @throws ConduitError EACCES where /conduit is closed to guests, EADDRINUSE where the registrar has given the name out. */
  async claim(name: string): Promise<ReleaseName> {
    this.#holders.set(name, (this.#holders.get(name) ?? 0) + 1)
    let held = true
    const release = async () => {
      if (!held) return
      held = false
      await this.#release(name)
    }
    try {
      await this.write(name)
      return release
    } catch (error) {
      await release().catch(() => undefined)
      throw error
    }
  }

  /** Write the claim, again where it was lost. @throws as {@link claim} */
  async write(name: string): Promise<void> {
    const { store } = this.#context
    if (isReservedName(name)) throw taken(name)
    await this.#assertOpen()
    await store.write(namePath(name), String(ownDomid(this.#context))).catch((error: unknown) => {
      throw isConduitError(error, 'EACCES') ? taken(name) : error
    })
  }

  /** The option is not enough: somebody with dom0's rights must have opened /conduit for it. */
  async #assertOpen(): Promise<void> {
    const rights = await this.#context.store.getPermissions(CONDUIT_ROOT).catch((error: unknown) => {
      if (isConduitError(error, 'ENOENT') || isConduitError(error, 'EACCES')) return []
      throw error
    })
    if (rights[0]?.access === 'b') return
    throw new ConduitError('EACCES', `${CONDUIT_ROOT} is not world-writable, which the flat layout needs`, {
      endpoint: CONDUIT_ROOT,
      hint: 'leave layout out; or in dom0: xenstore-chmod /conduit b0, after which any domain can claim any name',
    })
  }

  async #release(name: string): Promise<void> {
    const { store } = this.#context
    const left = (this.#holders.get(name) ?? 1) - 1
    if (left > 0) return void this.#holders.set(name, left)
    this.#holders.delete(name)
    await store
      .transaction(async (transaction) => {
        // Somebody else's by now, or claimed again while we looked.
        const owner = parseOwner(await store.readText(namePath(name), { transaction }))
        if (owner !== ownDomid(this.#context) || this.#holders.has(name)) return
        await store.remove(namePath(name), { transaction })
      })
      .catch((error: unknown) => {
        if (!isConduitError(error, 'ENOENT') && !isConduitError(error, 'EACCES')) throw error
      })
  }
}

const taken = (name: string): ConduitError =>
  new ConduitError('EADDRINUSE', `the name ${JSON.stringify(name)} cannot be claimed in the flat layout`, {
    endpoint: name,
    hint: 'it is reserved, or the registrar has given it out: choose another one',
  })
