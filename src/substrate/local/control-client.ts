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
}

export interface ControlClientHandlers {
  /** A push; the handler owns `fds`. */
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
  #closed = false
  #sequence = 0

  /** Takes over `fd`. */
  constructor(fd: number, handlers: ControlClientHandlers) {
    this.#handlers = handlers
    this.#socket = new ControlSocket(fd, {
      onMessage: (message, fds) => this.#onMessage(message, fds),
      onClose: () => {
        this.#closed = true
        this.#rejectPending(this.#handlers.onLost())
      },
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Ask; keeps the event loop alive until the answer is there. */
  request(type: ControlType, words: readonly number[], fds: readonly number[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
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
    this.#closed = true
    this.#socket.close()
    this.#rejectPending(reason)
  }

  #send(type: ControlType, words: readonly number[], fds: readonly number[]): number {
    this.#sequence = (this.#sequence % 0xffff_fffe) + 1
    this.#socket.send({ type, status: ControlStatus.OK, sequence: this.#sequence, words }, fds)
    return this.#sequence
  }

  #onMessage(message: ControlMessage, fds: number[]): void {
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
    pending.resolve({ status: message.status, words: message.words, fds })
  }

  #rejectPending(error: ConduitError): void {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(error)
  }
}
