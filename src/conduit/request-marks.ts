// The processes of one domain share its mailbox: below each request lie the marks of those it is for. A name that is wanted is
// wanted by all who have their mark there; a name is held by one. Nobody takes away what is another's, and the marks of processes
// that ended without a word are cleared by whoever comes next. A request with nothing below it was written by a peer that
// has no marks, such as a unikernel: it stands until that peer, or a person, removes it.
import type { MailboxRequest } from '../../protocol/conduit.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { XenstoreClient, XenstoreTransaction } from '../xenstore/client.js'
import { freshMark, isDeadMark, markedProcess } from './process-mark.js'

export class RequestMarks {
  readonly #store: XenstoreClient
  readonly #mark = freshMark()

  constructor(store: XenstoreClient) {
    this.#store = store
  }

  /**
   * Ask for a name in one's own mailbox. Once the signal aborts it is asked for before what is sent next, or never.
   * @throws ConduitError EADDRINUSE when another process of this domain holds it; the signal's reason
   */
  async claim(mailbox: string, name: string, signal: AbortSignal): Promise<void> {
    const requests = `${mailbox}/register`
    // Not in the transaction: oxenstored forgets what a transaction found missing, and would let two claim the name.
    await this.#store.mkdir(requests)
    const write = async (transaction: XenstoreTransaction) => {
      const others = await this.#clearForClaim(requests, name, transaction)
      if (others.length > 0) throw heldBy(others, `${requests}/${name}`, name)
      await Promise.all([
        this.#store.remove(`${mailbox}/answer/${name}`, { transaction }).catch(ignoreMissing),
        // The registrar hears of this one: what lies below is none of its business.
        this.#store.write(`${requests}/${name}`, '', { transaction }),
        this.#store.write(`${requests}/${name}/${this.#mark}`, '', { transaction }),
      ])
    }
    await this.#store.transaction(write, { signal })
  }

  /** Want a name: beside others of this domain. */
  async join(mailbox: string, name: string): Promise<void> {
    const want = `${mailbox}/want/${name}`
    const mark = `${want}/${this.#mark}`
    const full = await this.#store.write(mark, '').then(
      () => false,
      (error: unknown) => {
        if (!isConduitError(error, 'XENSTORE_QUOTA')) throw error
        return true
      },
    )
    const cleared = this.#clearDead(want)
    if (!full) {
      // Nobody waits for it.
      cleared.catch(() => undefined)
      return
    }
    await cleared
    await this.#store.write(mark, '')
  }

  /** Take one's own mark away, and with the last of them the request and its answer. */
  async leave(mailbox: string, kind: MailboxRequest, name: string): Promise<void> {
    const request = `${mailbox}/${kind}/${name}`
    await this.#store.transaction(async (transaction) => {
      const marks = await this.#store.directory(request, { transaction }).catch(noneWhenMissing)
      const own = marks.includes(this.#mark)
      const last = marks.every((mark) => mark === this.#mark || isDeadMark(mark))
      if (own) await this.#store.remove(last ? request : `${request}/${this.#mark}`, { transaction })
      if (last && (own || kind === 'want'))
        await this.#store.remove(`${mailbox}/answer/${name}`, { transaction }).catch(ignoreMissing)
    })
  }

  /** Who else holds the name, as far as can be known: marks, or the empty text for a request without any. */
  async #clearForClaim(requests: string, name: string, transaction: XenstoreTransaction): Promise<string[]> {
    const asked = await this.#store.directory(requests, { transaction })
    if (!asked.includes(name)) return []
    const marks = await this.#store.directory(`${requests}/${name}`, { transaction })
    if (marks.length === 0) return ['']
    const dead = marks.filter(isDeadMark)
    await Promise.all(dead.map((mark) => this.#store.remove(`${requests}/${name}/${mark}`, { transaction })))
    return marks.filter((mark) => mark !== this.#mark && !dead.includes(mark))
  }

  async #clearDead(want: string): Promise<void> {
    const dead = (await this.#store.directory(want).catch(noneWhenMissing)).filter(isDeadMark)
    await Promise.all(dead.map((mark) => this.#store.remove(`${want}/${mark}`).catch(ignoreMissing)))
  }
}

function heldBy(others: readonly string[], path: string, name: string): ConduitError {
  const pid = others.map(markedProcess).find((id) => id !== undefined)
  const who = pid === undefined ? 'another program' : `process ${pid}`
  return new ConduitError('EADDRINUSE', `${who} of this domain holds the name ${JSON.stringify(name)}`, {
    endpoint: name,
    hint: `stop it, or choose another name; where it has ended and left that behind: xenstore-rm ${path}`,
  })
}

function noneWhenMissing(error: unknown): string[] {
  ignoreMissing(error)
  return []
}

function ignoreMissing(error: unknown): void {
  if (!isConduitError(error, 'ENOENT')) throw error
}
