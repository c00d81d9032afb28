// A guest that speaks to the registrar by hand: what its mailbox says, and what the store lets it do.
import { mailboxPath } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { isConduitError } from '../../src/errors.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { eventually } from './eventually.js'

export class StoreGuest {
  readonly domid: Domid
  readonly store: XenstoreClient

  constructor(id: Domid, store: XenstoreClient) {
    this.domid = id
    this.store = store
  }

  /** Ask and wait for the answer. */
  async ask(kind: 'register' | 'want', name: string): Promise<string> {
    const answer = `${mailboxPath(this.domid)}/answer/${name}`
    await this.store.remove(answer).catch(() => undefined)
    await this.store.write(`${mailboxPath(this.domid)}/${kind}/${name}`, '')
    return eventually(() => this.read(answer))
  }

  async withdraw(kind: 'register' | 'want', name: string): Promise<void> {
    await this.store.remove(`${mailboxPath(this.domid)}/${kind}/${name}`)
  }

  async read(path: string): Promise<string | undefined> {
    return this.store.readText(path).catch((error: unknown) => {
      if (!isConduitError(error, 'ENOENT')) throw error
      return undefined
    })
  }

  /** The code with which `operation` fails, or `done`. */
  async attempt(operation: (store: XenstoreClient) => Promise<unknown>): Promise<string> {
    return operation(this.store).then(
      () => 'done',
      (error: unknown) => (isConduitError(error) ? error.code : String(error)),
    )
  }
}
