// A flow to an echo that never rests: writes as fast as it may, and checks what comes back byte by byte.
import { once } from 'node:events'
import type { ConduitSocket } from '../../src/vchan/socket.js'

export interface FlowResult {
  readonly sent: number
  readonly received: number
  readonly intact: boolean
}

/** A prime, so that no slice of a ring lines up with it. */
const PERIOD = 251
const CHUNK_BYTES = 16 * 1024
const pattern = Buffer.from(Uint8Array.from({ length: CHUNK_BYTES + PERIOD }, (_, index) => index % PERIOD))

export class PatternedFlow {
  readonly #socket: ConduitSocket
  #sent = 0
  #received = 0
  #intact = true
  #finishing = false

  constructor(socket: ConduitSocket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#check(chunk))
    socket.on('drain', () => this.#fill())
    this.#fill()
  }

  get received(): number {
    return this.#received
  }

  /** End the direction, and wait for the echo's end. Rejects with the socket's error. */
  async finish(): Promise<FlowResult> {
    this.#finishing = true
    const ended = once(this.#socket, 'end')
    this.#socket.end()
    await ended
    return { sent: this.#sent, received: this.#received, intact: this.#intact }
  }

  #fill(): void {
    while (!this.#finishing) {
      const from = this.#sent % PERIOD
      this.#sent += CHUNK_BYTES
      if (!this.#socket.write(pattern.subarray(from, from + CHUNK_BYTES))) return
    }
  }

  #check(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
      const slice = chunk.subarray(at, at + CHUNK_BYTES)
      const from = this.#received % PERIOD
      this.#intact &&= slice.equals(pattern.subarray(from, from + slice.length))
      this.#received += slice.length
    }
  }
}
