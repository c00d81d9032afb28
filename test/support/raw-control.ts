// A client of a local hypervisor that says whatever it likes: bytes and descriptors on one end of a socket pair, of which a
// hypervisor in this process has accepted the other, or on a connection to one elsewhere.
import {
  CONTROL_VERSION,
  type ControlMessage,
  ControlStatus,
  ControlType,
  decodeControl,
  encodeControl,
  MAX_CONTROL_BYTES,
  NONE,
} from '../../protocol/local-control.js'
import { native } from '../../src/native.js'
import type { LocalHypervisor } from '../../src/substrate/local/hypervisor.js'
import { eventually } from './eventually.js'

export interface Received extends ControlMessage {
  readonly fds: readonly number[]
}

export class RawControl {
  readonly fd: number
  readonly #buffer = new Uint8Array(MAX_CONTROL_BYTES)
  #sequence = 0

  /** @param peer a hypervisor in this process, or the descriptor of a connection to one, which is taken over */
  constructor(peer: LocalHypervisor | number) {
    if (typeof peer === 'number') {
      this.fd = peer
      return
    }
    const [ours, theirs] = native().socketPair(false)
    this.fd = ours
    peer.accept(theirs)
  }

  /** False when the queue is full or the hypervisor has hung up. */
  send(bytes: Uint8Array, fds: readonly number[] = []): boolean {
    try {
      return native().sendMessage(this.fd, bytes, fds)
    } catch {
      return false
    }
  }

  /** A well-formed request; resolves with its answer. Closes the descriptors of every push that comes before. */
  async request(type: ControlType, words: readonly number[], fds: readonly number[] = []): Promise<Received> {
    const sequence = ++this.#sequence
    this.send(encodeControl({ type, status: ControlStatus.OK, sequence, words }), fds)
    return eventually(() => {
      for (let next = this.receive(); next !== undefined; next = this.receive()) {
        if (next.sequence === sequence) return next
        for (const fd of next.fds) native().closeFd(fd)
      }
      return undefined
    })
  }

  /** Its domid. */
  async attach(): Promise<number> {
    return (await this.request(ControlType.ATTACH, [CONTROL_VERSION, NONE])).words[0]!
  }

  /** What has arrived; undefined when nothing has. */
  receive(): Received | undefined {
    const message = native().receiveMessage(this.fd, this.#buffer)
    if (message === null || message.bytes === 0) return undefined
    return { ...decodeControl(this.#buffer.subarray(0, message.bytes))!, fds: message.fds }
  }

  close(): void {
    native().closeFd(this.fd)
  }
}
