// A domain's side of the mailbox by which it asks the registrar for a name, or to be let in to one.
// One watch for all questions; questions about one name take turns, since they share the answer's node. Which process of the
// domain a request is of is request-marks.ts.
import { type MailboxRequest, mailboxPath, parseAnswer, pathBelow } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, type ConduitErrorCode, ERROR_CODES, isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import { untilAborted } from './deadline.js'
import { RequestMarks } from './request-marks.js'

const HINTS: Partial<Record<ConduitErrorCode, string>> = {
  EADDRINUSE: 'another domain holds the name: choose another one, or stop its holder (conduit-cat ls shows it)',
  EACCES: "the registrar's configuration keeps this name for another domain",
  XENSTORE_QUOTA: 'a domain may hold 16 names and be let in to 256: give some back, or use ports (NAME:PORT)',
  CONDUIT_NAME: 'the registrar takes names in lower case only',
  ENOENT: 'nobody holds the name: start the server first, or wait for it (wait: true, conduit-cat --wait)',
}

export class Mailbox {
  readonly #store: XenstoreClient
  readonly #domid: () => Domid
  readonly #marks: RequestMarks
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #listeners = new Map<string, () => void>()
  /** Requests that failed, on their way out of the store. */
  readonly #leaving = new Map<string, Promise<unknown>>()
  #watched: { readonly root: string; readonly watch: Promise<XenstoreWatch> } | undefined

  constructor(store: XenstoreClient, domid: () => Domid) {
    this.#store = store
    this.#marks = new RequestMarks(store)
    this.#domid = domid
  }

  /**
   * Ask, and wait for the answer. When it fails nothing stays asked for.
   * @throws ConduitError the registrar's code; EADDRINUSE for a name that another process of this domain holds; the signal's reason.
   */
  ask(kind: MailboxRequest, name: string, signal: AbortSignal): Promise<void> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(() => this.#ask(kind, name, signal))
    // The next question about the name waits until one that failed has left the store: they would share the request.
    const settled = turn
      .catch(() => this.#leaving.get(name))
      .finally(() => this.#turns.get(name) === settled && this.#turns.delete(name))
    this.#turns.set(name, settled)
    return turn
  }

  /** Take a request back. The registrar needs no time to notice: what it granted is not ours from now on. */
  async withdraw(kind: MailboxRequest, name: string): Promise<void> {
    await this.#turns.get(name)
    await this.#marks.leave(mailboxPath(this.#domid()), kind, name)
  }

  /** Resolves when nothing that failed stays asked for. */
  async close(): Promise<void> {
    await Promise.all(this.#leaving.values())
    const watched = this.#watched
    this.#watched = undefined
    await watched?.watch.then((watch) => watch.close()).catch(() => undefined)
  }

  async #ask(kind: MailboxRequest, name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const root = mailboxPath(this.#domid())
    const answer = `${root}/answer/${name}`
    let arrived: (text: string) => void = () => undefined
    let failed: (error: unknown) => void = () => undefined
    const text = new Promise<string>((resolve, reject) => {
      arrived = resolve
      failed = reject
    })
    this.#store.ref()
    try {
      const asked = Promise.all([this.#watch(root), this.#request(kind, root, name, signal)])
      const read = () => this.#store.readText(answer)
      this.#listeners.set(name, () => {
        // What is there before the question has been asked answers another one.
        asked.then(read).then(arrived, (error) => isConduitError(error, 'ENOENT') || failed(error))
      })
      const reply = await untilAborted(Promise.all([text, asked]), signal)
      // That of a want may be another process's as well: it goes with the last of them.
      if (kind === 'register') this.#store.remove(answer).catch(() => undefined)
      this.#check(name, reply[0])
    } catch (error) {
      this.#forgo(kind, name)
      throw error
    } finally {
      this.#store.unref()
      this.#listeners.delete(name)
    }
  }

  async #request(kind: MailboxRequest, root: string, name: string, signal: AbortSignal): Promise<void> {
    if (kind === 'register') return this.#marks.claim(root, name, signal)
    // What answered an earlier question goes first, on the same connection.
    const gone = this.#store.remove(`${root}/answer/${name}`).catch(ignoreMissing)
    await Promise.all([gone, this.#marks.join(root, name)])
  }

  /** Whoever asked does not wait for it: the store may be what failed. */
  #forgo(kind: MailboxRequest, name: string): void {
    const leaving = this.#marks
      .leave(mailboxPath(this.#domid()), kind, name)
      .catch(() => undefined)
      .finally(() => this.#leaving.delete(name))
    this.#leaving.set(name, leaving)
  }

  #check(name: string, text: string): void {
    const answer = parseAnswer(text)
    if (answer?.ok === true) return
    const code = answer?.code ?? ''
    if (!Object.hasOwn(ERROR_CODES, code)) {
      throw new ConduitError('CONDUIT_PROTOCOL', `the registrar answered ${JSON.stringify(text.slice(0, 64))}`, {
        endpoint: name,
        hint: 'the registrar is of another version',
      })
    }
    const known = code as ConduitErrorCode
    throw new ConduitError(known, `the registrar refused ${JSON.stringify(name)}: ${ERROR_CODES[known]}`, {
      endpoint: name,
      hint: HINTS[known],
    })
  }

  /** The domid, and with it the mailbox, may change when the store was lost. */
  async #watch(root: string): Promise<void> {
    const stale = this.#watched
    if (stale?.root !== root) {
      const answers = `${root}/answer`
      this.#watched = { root, watch: this.#store.watch(answers, (path) => this.#onEvent(answers, path)) }
      stale?.watch.then((watch) => watch.close()).catch(() => undefined)
    }
    try {
      await this.#watched?.watch
    } catch (error) {
      this.#watched = undefined
      throw error
    }
  }

  #onEvent(answers: string, path: string): void {
    const name = pathBelow(answers, path)?.[0]
    // The directory as a whole: made, removed, or watched again after the store was lost.
    if (name === undefined) for (const look of this.#listeners.values()) look()
    else this.#listeners.get(name)?.()
  }
}

function ignoreMissing(error: unknown): void {
  if (!isConduitError(error, 'ENOENT')) throw error
}
