// A process's connection to the local hypervisor: requests and answers over the control socket, and coming back
// with the same domid when the hypervisor was lost. Knows no pages and no ports.
import {
  CONTROL_VERSION,
  type ControlMessage,
  ControlStatus,
  ControlType,
  NONE,
} from '../../../protocol/local-control.js'
import { type Domid, domid } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { native } from '../../native.js'
import { ControlSocket } from './control-socket.js'
import { prepareRuntimeDirectory } from './runtime-dir.js'
import { reachHypervisor } from './start-hypervisor.js'

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
  /** A push; the handler owns `fds`. */
  onPush(message: ControlMessage, fds: number[]): void
  /** A new hypervisor: register everything again, with `post`. Runs before any waiting request is sent. */
  onReattached(): void
}

export interface Answer {
  readonly status: ControlStatus
  readonly words: readonly number[]
  /** The receiver owns them. */
  readonly fds: number[]
}

interface Pending {
  resolve(answer: Answer): void
  reject(error: ConduitError): void
}

const DEFAULT_TIMEOUT_MS = 10_000
const LOST_HINT = 'try again: the process attaches to a new local hypervisor by itself'

export class Attachment {
  readonly #options: AttachOptions
  readonly #handlers: AttachmentHandlers
  readonly #pending = new Map<number, Pending>()
  #socket: ControlSocket | undefined
  #ready: Promise<void> = Promise.resolve()
  #failure: ConduitError | undefined
  #sequence = 0
  #domid = domid(0)

  private constructor(options: AttachOptions, handlers: AttachmentHandlers) {
    this.#options = options
    this.#handlers = handlers
  }

  /** @throws ConduitError RUNTIME_DIR, SUBSTRATE_UNAVAILABLE */
  static async open(options: AttachOptions, handlers: AttachmentHandlers): Promise<Attachment> {
    prepareRuntimeDirectory(options.directory)
    const attachment = new Attachment(options, handlers)
    await attachment.#attach(NONE, options.signal)
    return attachment
  }

  get domid(): Domid {
    return this.#domid
  }

  /**
   * Ask and wait for the answer. Waits for a new hypervisor where the last one was lost.
   * @throws ConduitError SUBSTRATE_LOST when the hypervisor goes before it answers, or none can be had
   */
  async request(type: ControlType, words: readonly number[], fds: readonly number[] = []): Promise<Answer> {
    if (this.#socket === undefined) await this.#ready
    const socket = this.#socket
    if (socket === undefined) throw this.#failure ?? this.#lost()
    return new Promise((resolve, reject) => {
      const sequence = this.#send(socket, type, words, fds)
      if (this.#pending.size === 0) socket.ref()
      this.#pending.set(sequence, { resolve, reject })
    })
  }

  /** Tell, without waiting; dropped while there is no hypervisor, who would know nothing of it anyway. */
  post(type: ControlType, words: readonly number[], fds: readonly number[] = []): void {
    if (this.#socket !== undefined) this.#send(this.#socket, type, words, fds)
  }

  /** Handle every message that has arrived. */
  drain(): void {
    this.#socket?.drain()
  }

  close(): void {
    this.#failure = new ConduitError('SUBSTRATE_LOST', 'the local substrate was closed')
    this.#socket?.close()
    this.#socket = undefined
    this.#rejectPending(this.#failure)
  }

  #send(socket: ControlSocket, type: ControlType, words: readonly number[], fds: readonly number[]): number {
    this.#sequence = (this.#sequence % 0xffff_fffe) + 1
    socket.send({ type, status: ControlStatus.OK, sequence: this.#sequence, words }, fds)
    return this.#sequence
  }

  async #attach(wanted: number, signal?: AbortSignal): Promise<void> {
    const { directory, entry, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const fd = await reachHypervisor(directory, entry, { timeoutMs: deadline - performance.now(), signal })
      if (this.#failure !== undefined) {
        native().closeFd(fd)
        throw this.#failure
      }
      const socket = this.#adopt(fd)
      const answer = await this.#introduce(socket, wanted, { limitMs: deadline - performance.now(), signal })
      // It was leaving as we came: start the next one.
      if (answer === undefined) continue
      if (answer.status === ControlStatus.OK) {
        this.#domid = domid(answer.words[0]!)
        return
      }
      socket.close()
      this.#socket = undefined
      if (answer.status !== ControlStatus.DOMID_TAKEN) {
        const message = `the local hypervisor in ${directory} speaks another version of the control protocol`
        throw new ConduitError('SUBSTRATE_UNAVAILABLE', message, {
          endpoint: directory,
          hint: 'end the processes of the other version, or set CONDUIT_RUNTIME_DIR',
        })
      }
      wanted = NONE
    }
  }

  /** The answer to ATTACH; undefined when the hypervisor left instead. */
  async #introduce(
    socket: ControlSocket,
    wanted: number,
    { limitMs, signal }: { limitMs: number; signal: AbortSignal | undefined },
  ): Promise<Answer | undefined> {
    let giveUp: unknown
    let stop = (): void => {}
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const end = (reason: unknown): void => {
          giveUp = reason
          this.#pending.delete(sequence)
          socket.close()
          reject(reason)
        }
        socket.ref()
        const sequence = this.#send(socket, ControlType.ATTACH, [CONTROL_VERSION, wanted], [])
        this.#pending.set(sequence, { resolve, reject })
        const onAbort = (): void => end(signal?.reason)
        const timer = setTimeout(() => end(this.#unanswered()), Math.max(0, limitMs))
        signal?.addEventListener('abort', onAbort)
        stop = () => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
        }
      })
    } catch (error) {
      if (giveUp !== undefined || this.#failure !== undefined) throw error
      return undefined
    } finally {
      stop()
    }
  }

  #unanswered(): ConduitError {
    const { directory } = this.#options
    return new ConduitError('SUBSTRATE_UNAVAILABLE', `the local hypervisor in ${directory} does not answer`, {
      endpoint: directory,
      hint: 'it is stopped or hangs: continue or end that process, or set CONDUIT_RUNTIME_DIR',
    })
  }

  #adopt(fd: number): ControlSocket {
    let attached = false
    const socket = new ControlSocket(fd, {
      onMessage: (message, fds) => {
        if (message.sequence === 0) {
          this.#handlers.onPush(message, fds)
          return
        }
        const pending = this.#pending.get(message.sequence)
        if (message.type === ControlType.ATTACH && message.status === ControlStatus.OK) {
          attached = true
          this.#socket = socket
        }
        if (pending === undefined) {
          for (const stray of fds) native().closeFd(stray)
          return
        }
        this.#pending.delete(message.sequence)
        if (this.#pending.size === 0) socket.unref()
        pending.resolve({ status: message.status, words: message.words, fds })
      },
      onClose: () => {
        this.#socket = undefined
        this.#rejectPending(this.#lost())
        if (attached) this.#reattach()
      },
    })
    return socket
  }

  #reattach(): void {
    this.#ready = this.#attach(this.#domid).then(
      () => this.#handlers.onReattached(),
      (error: unknown) => {
        this.#failure ??= this.#lost(error)
      },
    )
  }

  #lost(cause?: unknown): ConduitError {
    return new ConduitError('SUBSTRATE_LOST', `lost the local hypervisor in ${this.#options.directory}`, {
      hint: LOST_HINT,
      cause,
    })
  }

  #rejectPending(error: ConduitError): void {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(error)
  }
}
