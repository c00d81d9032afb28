// One connection to the local hypervisor as a process uses it: requests, the answers that belong to them, and pushes.
// Finding a hypervisor, and coming back when it was lost, is attachment.ts's.
import { type ControlMessage, ControlStatus, type ControlType } from '../../../protocol/local-control.js'
import type { ConduitError } from '../../errors.js'
import { native } from '../../native.js'
import { ControlSocket } from './control-socket.js'

export interface Answer {
  readonly status: ControlStatus
  readonly words: readonly number[]
  /** The receiver owns them. */
  readonly fds: number[]
  /** The answer came with descriptors for which this process had no room: it has none of them. */
  readonly fdsLost: boolean
}

export interface ControlClientHandlers {
  /** A push; the handler owns `fds`, of which there are none when this process had no room for them. */
  onPush(message: ControlMessage, fds: number[]): void
  /** Called once when the hypervisor has gone, not after close(); returns what the waiting requests reject with. */
  onLost(): ConduitError
}

interface Pending {
  resolve(answer: Answer): void
  reject(error: ConduitError): void
}

export class ControlClient {
  readonly #handlers: ControlClientHandlers
  readonly #socket: ControlSocket
  readonly #pending = new Map<number, Pending>()
  /** Why there is no connection any more. */
  #end: ConduitError | undefined
  #sequence = 0

  /** Takes over `fd`. */
  constructor(fd: number, handlers: ControlClientHandlers) {
    this.#handlers = handlers
    this.#socket = new ControlSocket(fd, {
      onMessage: (message, fds, fdsLost) => this.#onMessage(message, fds, fdsLost),
      onClose: () => {
        this.#reject(this.#handlers.onLost())
      },
    })
  }

  get closed(): boolean {
    return this.#end !== undefined
  }

  /**
   * Ask; keeps the event loop alive until the answer is there.
   * @throws ConduitError EMFILE, SYSTEM when `fds` cannot be sent; what `onLost` or `close` say when there is no answer
   */
  request(type: ControlType, words: readonly number[], fds: readonly number[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw this.#end
      const sequence = this.#send(type, words, fds)
      if (this.#pending.size === 0) this.#socket.ref()
      this.#pending.set(sequence, { resolve, reject })
    })
  }

  /** Tell, without waiting. */
  post(type: ControlType, words: readonly number[], fds: readonly number[] = []): void {
    this.#send(type, words, fds)
  }

  /** Handle every message that has arrived. */
  drain(): void {
    this.#socket.drain()
  }

  /** Hang up; the waiting requests reject with `reason`. Idempotent. */
  close(reason: ConduitError): void {
    this.#socket.close()
    this.#reject(reason)
  }

  #send(type: ControlType, words: readonly number[], fds: readonly number[]): number {
    this.#sequence = (this.#sequence % 0xffff_fffe) + 1
    this.#socket.send({ type, status: ControlStatus.OK, sequence: this.#sequence, words }, fds)
    return this.#sequence
  }

  #onMessage(message: ControlMessage, fds: number[], fdsLost: boolean): void {
    if (message.sequence === 0) {
      this.#handlers.onPush(message, fds)
      return
    }
    const pending = this.#pending.get(message.sequence)
    if (pending === undefined) {
      for (const fd of fds) native().closeFd(fd)
      return
    }
    this.#pending.delete(message.sequence)
    if (this.#pending.size === 0) this.#socket.unref()
    pending.resolve({ status: message.status, words: message.words, fds, fdsLost })
  }

  #reject(error: ConduitError): void {
    this.#end ??= error
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(error)
  }
}
