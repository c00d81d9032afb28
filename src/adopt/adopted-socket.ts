// A net.Socket over a connection that jitsud accepted. It differs in what its peer sees when this process is killed: a reset, so
// that nobody takes what came until then for the whole.
import { Socket, type SocketConstructorOpts } from 'node:net'
import { native } from '../native.js'

type Callback = (error?: Error | null) => void
type Chunks = { chunk: unknown; encoding: BufferEncoding }[]

/** The handle goes with the descriptor: without it the number may be another file's. */
interface WithHandle {
  readonly _handle: object | null
}

export class AdoptedSocket extends Socket {
  readonly #fd: number
  readonly #onFirstWrite: () => void
  #wrote = false

  /** Takes over `fd`, of the addon's. */
  constructor(fd: number, options: SocketConstructorOpts, onFirstWrite: () => void) {
    super({ ...options, fd, readable: true, writable: true })
    this.#fd = fd
    this.#onFirstWrite = onFirstWrite
    native().releaseFd(fd)
    native().resetOnClose(fd, true)
    // Both have ended properly, or this side has: what is still on its way to the peer is not to be thrown away.
    this.once('finish', () => this.closeCleanly())
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: Callback): void {
    this.#noteWrite()
    super._write(chunk, encoding, callback)
  }

  override _writev(chunks: Chunks, callback: Callback): void {
    this.#noteWrite()
    super._writev!(chunks as Parameters<NonNullable<Socket['_writev']>>[0], callback)
  }

  override _destroy(error: Error | null, callback: Callback): void {
    // resetAndDestroy() asks for its reset after this.
    this.closeCleanly()
    super._destroy(error, callback)
  }

  /** From now on a close is the end that it is with any socket. */
  closeCleanly(): void {
    if ((this as unknown as WithHandle)._handle !== null) native().resetOnClose(this.#fd, false)
  }

  #noteWrite(): void {
    if (this.#wrote) return
    this.#wrote = true
    this.#onFirstWrite()
  }
}
