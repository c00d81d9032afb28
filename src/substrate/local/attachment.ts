// A process's place at the local hypervisor: reached or started when it opens, and taken again, with the same domid,
// when the hypervisor was lost. Knows no pages and no ports.
import { type ControlMessage, ControlStatus, type ControlType, NONE } from '../../../protocol/local-control.js'
import { type Domid, domid } from '../../../protocol/xen.js'
import { ConduitError, isConduitError } from '../../errors.js'
import { type Answer, ControlClient } from './control-client.js'
import { introduce, unanswered } from './introduction.js'
import { pauseBeforeRetry, reachHypervisor } from './start-hypervisor.js'

export interface AttachOptions {
  /** The runtime directory; see runtime-dir.ts. */
  readonly directory: string
  /** Path of the local hypervisor's main module. */
  readonly entry: string
  /** How long to try to reach or start a hypervisor, 10 s by default. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

export interface AttachmentHandlers {
  /** A push; the handler owns `fds`, of which there are none when this process had no room for them. */
  onPush(message: ControlMessage, fds: number[]): void
  /** A new hypervisor: register everything again. The requests that wait are sent when it has resolved or rejected. */
  onReattached(hypervisor: ControlClient): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 10_000
const LOST_HINT = 'try again: the process attaches to a new local hypervisor by itself'

export class Attachment {
  readonly #options: AttachOptions
  readonly #handlers: AttachmentHandlers
  readonly #closing = new AbortController()
  /** The connection on which ATTACH was asked last. */
  #client: ControlClient | undefined
  #attached = false
  /** Under way after a loss. */
  #comingBack: Promise<void> | undefined
  /** Why coming back failed, the last time it did. */
  #failure: unknown
  #domid = domid(0)

  constructor(options: AttachOptions, handlers: AttachmentHandlers) {
    this.#options = options
    this.#handlers = handlers
  }

  /** @throws ConduitError RUNTIME_DIR, SUBSTRATE_UNAVAILABLE, EMFILE */
  async open(): Promise<void> {
    await this.#attach(NONE, this.#options.signal)
  }

  get domid(): Domid {
    return this.#domid
  }

  /**
   * Ask and wait for the answer. Waits for a new hypervisor where the last one was lost.
   * @throws ConduitError SUBSTRATE_LOST when the hypervisor goes before it answers, or none can be had; EMFILE
   */
  async request(type: ControlType, words: readonly number[], fds: readonly number[] = []): Promise<Answer> {
    // Where coming back failed, whoever asks tries once more.
    if (!this.#attached) this.#comeBack()
    while (this.#comingBack !== undefined) await this.#comingBack
    this.#closing.signal.throwIfAborted()
    if (!this.#attached) throw this.#whyNot()
    return this.#client!.request(type, words, fds)
  }

  /** Tell, without waiting; dropped while there is no hypervisor, who would know nothing of it anyway. */
  post(type: ControlType, words: readonly number[], fds: readonly number[] = []): void {
    if (this.#attached) this.#client!.post(type, words, fds)
  }

  /** Handle every message that has arrived. */
  drain(): void {
    if (this.#attached) this.#client!.drain()
  }

  close(): void {
    const closed = new ConduitError('SUBSTRATE_LOST', 'the local substrate was closed')
    this.#closing.abort(closed)
    this.#attached = false
    this.#client?.close(closed)
  }

  async #attach(wanted: number, signal?: AbortSignal): Promise<void> {
    const { directory, entry, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const fd = await reachHypervisor(directory, entry, { timeoutMs: deadline - performance.now(), signal })
      const client = this.#converse(fd)
      const answer = await introduce(client, wanted, {
        limitMs: deadline - performance.now(),
        timeoutMs,
        signal,
        directory,
      })
      if (answer === undefined || client.closed) {
        // It was leaving as we came: start the next one.
        if (performance.now() > deadline) throw unanswered(directory, timeoutMs)
        await pauseBeforeRetry()
        continue
      }
      if (answer.status === ControlStatus.OK) {
        this.#domid = domid(answer.words[0]!)
        this.#attached = true
        return
      }
      client.close(this.#lost())
      if (answer.status !== ControlStatus.DOMID_TAKEN) throw otherVersion(directory)
      wanted = NONE
    }
  }

  #converse(fd: number): ControlClient {
    this.#client = new ControlClient(fd, {
      onPush: (message, fds) => this.#handlers.onPush(message, fds),
      onLost: () => {
        if (this.#attached) {
          this.#attached = false
          this.#comeBack()
        }
        return this.#lost()
      },
    })
    return this.#client
  }

  /** Single-flight. A hypervisor that is lost again while it is told what we have is left for the next. */
  #comeBack(): void {
    if (this.#closing.signal.aborted) return
    this.#comingBack ??= this.#attachAgain().then(
      () => {
        this.#comingBack = undefined
        if (!this.#attached) this.#comeBack()
      },
      (error: unknown) => {
        this.#comingBack = undefined
        this.#failure = error
      },
    )
  }

  async #attachAgain(): Promise<void> {
    await this.#attach(this.#domid, this.#closing.signal)
    await this.#handlers.onReattached(this.#client!)
  }

  /** Out of descriptors is said as such: nothing is wrong with the hypervisor. */
  #whyNot(): ConduitError {
    return isConduitError(this.#failure, 'EMFILE') ? this.#failure : this.#lost(this.#failure)
  }

  #lost(cause?: unknown): ConduitError {
    return new ConduitError('SUBSTRATE_LOST', `lost the local hypervisor in ${this.#options.directory}`, {
      hint: LOST_HINT,
      cause,
    })
  }
}

function otherVersion(directory: string): ConduitError {
  const message = `the local hypervisor in ${directory} speaks another version of the control protocol`
  return new ConduitError('SUBSTRATE_UNAVAILABLE', message, {
    endpoint: directory,
    hint: 'end the processes of the other version, or set CONDUIT_RUNTIME_DIR',
  })
}
