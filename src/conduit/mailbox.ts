// A domain's side of the mailbox by which it asks the registrar for a name, or to be let in to one.
// One watch for all questions; questions about one name take turns, since they share the answer's node. The processes of a
// domain share its mailbox: each marks the names that it wants, and the last to leave takes the want away. Marks of processes that
// ended without leaving are cleared by whoever comes next.
import { type MailboxRequest, mailboxPath, parseAnswer, pathBelow } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, type ConduitErrorCode, ERROR_CODES, isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import { untilAborted } from './deadline.js'
import { freshMark, isDeadMark } from './process-mark.js'

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
  readonly #mark = freshMark()
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #listeners = new Map<string, () => void>()
  /** Requests that failed, on their way out of the store. */
  readonly #leaving = new Map<string, Promise<unknown>>()
  #watched: { readonly root: string; readonly watch: Promise<XenstoreWatch> } | undefined

  constructor(store: XenstoreClient, domid: () => Domid) {
    this.#store = store
    this.#domid = domid
  }

  /**
   * Ask, and wait for the answer. When it fails nothing stays asked for.
   * @throws ConduitError the registrar's code; the signal's reason.
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
    await this.#takeBack(kind, name)
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
    this.#listeners.set(name, () => {
      this.#store.readText(answer).then(arrived, (error) => isConduitError(error, 'ENOENT') || failed(error))
    })
    this.#store.ref()
    try {
      // An answer to an earlier question must not pass for the one to this: it goes first, on the same connection.
      const asked = Promise.all([
        this.#watch(root),
        this.#store.remove(answer).catch(ignoreMissing),
        kind === 'want' ? this.#markWant(root, name) : this.#store.write(`${root}/register/${name}`, ''),
      ])
      const reply = await untilAborted(Promise.all([text, asked]), signal)
      this.#check(name, reply[0])
    } catch (error) {
      this.#forgo(kind, name)
      throw error
    } finally {
      this.#store.unref()
      this.#listeners.delete(name)
      // That of a want may be another process's as well: it goes with the last of them.
      if (kind === 'register') this.#store.remove(answer).catch(() => undefined)
    }
  }

  async #markWant(root: string, name: string): Promise<void> {
    const mark = `${root}/want/${name}/${this.#mark}`
    const full = await this.#store.write(mark, '').then(
      () => false,
      (error: unknown) => {
        if (!isConduitError(error, 'XENSTORE_QUOTA')) throw error
        return true
      },
    )
    const cleared = this.#clearMarks(`${root}/want/${name}`)
    if (!full) {
      // Nobody waits for it.
      cleared.catch(() => undefined)
      return
    }
    await cleared
    await this.#store.write(mark, '')
  }

  async #clearMarks(want: string): Promise<void> {
    const dead = (await this.#store.directory(want).catch(noneWhenMissing)).filter(isDeadMark)
    await Promise.all(dead.map((mark) => this.#store.remove(`${want}/${mark}`).catch(ignoreMissing)))
  }

  /** Whoever asked does not wait for it: the store may be what failed. */
  #forgo(kind: MailboxRequest, name: string): void {
    const leaving = this.#takeBack(kind, name)
      .catch(() => undefined)
      .finally(() => this.#leaving.delete(name))
    this.#leaving.set(name, leaving)
  }

  async #takeBack(kind: MailboxRequest, name: string): Promise<void> {
    const root = mailboxPath(this.#domid())
    if (kind === 'register') {
      // In this order: a name given back and taken again is answered once or twice, and no answer comes once the request has gone.
      const gone = [`${root}/register/${name}`, `${root}/answer/${name}`]
      await Promise.all(gone.map((path) => this.#store.remove(path).catch(ignoreMissing)))
      return
    }
    const want = `${root}/want/${name}`
    await this.#store.transaction(async (transaction) => {
      const marks = await this.#store.directory(want, { transaction }).catch(noneWhenMissing)
      const last = marks.every((mark) => mark === this.#mark || isDeadMark(mark))
      if (marks.includes(this.#mark)) await this.#store.remove(last ? want : `${want}/${this.#mark}`, { transaction })
      if (last) await this.#store.remove(`${root}/answer/${name}`, { transaction }).catch(ignoreMissing)
    })
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

function noneWhenMissing(error: unknown): string[] {
  ignoreMissing(error)
  return []
}

function ignoreMissing(error: unknown): void {
  if (!isConduitError(error, 'ENOENT')) throw error
}
