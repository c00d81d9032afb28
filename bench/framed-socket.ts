// Messages over a byte stream as a program on node:net would write it: the framing of Conduit's message mode (u32
// little-endian length, then the bytes), one write per message or per batch, and the same events. The peer to compare.
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'

const HEADER_BYTES = 4

/** What the messages workload needs; ConduitMessageSocket has it as well. */
export interface MessageEnd {
  send(message: Uint8Array): boolean
  sendMany(messages: readonly Uint8Array[]): boolean
  end(): void
  on(event: 'message', listener: (message: Buffer) => void): unknown
  on(event: 'batch', listener: (messages: Buffer[]) => void): unknown
  on(event: 'drain' | 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

export class FramedSocket extends EventEmitter implements MessageEnd {
  readonly #socket: Duplex
  #rest: Buffer | undefined

  constructor(socket: Duplex) {
    super()
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    for (const event of ['drain', 'end', 'error']) socket.on(event, (detail) => this.emit(event, detail))
  }

  send(message: Uint8Array): boolean {
    const frame = Buffer.allocUnsafe(HEADER_BYTES + message.length)
    frame.writeUInt32LE(message.length, 0)
    frame.set(message, HEADER_BYTES)
    return this.#socket.write(frame)
  }

  sendMany(messages: readonly Uint8Array[]): boolean {
    let total = 0
    for (const message of messages) total += HEADER_BYTES + message.length
    const frames = Buffer.allocUnsafe(total)
    let at = 0
    for (const message of messages) {
      at = frames.writeUInt32LE(message.length, at)
      frames.set(message, at)
      at += message.length
    }
    return this.#socket.write(frames)
  }

  end(): void {
    this.#socket.end()
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    const batch: Buffer[] | undefined = this.listenerCount('batch') > 0 ? [] : undefined
    let at = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const next = at + HEADER_BYTES + bytes.readUInt32LE(at)
      if (next > bytes.length) break
      const message = bytes.subarray(at + HEADER_BYTES, next)
      if (batch === undefined) this.emit('message', message)
      else batch.push(message)
      at = next
    }
    this.#rest = at === bytes.length ? undefined : bytes.subarray(at)
    if (batch !== undefined && batch.length > 0) this.emit('batch', batch)
  }
}
