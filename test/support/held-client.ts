// A TCP client of a held address, and all that it saw.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { parseSocketAddress } from '../../protocol/jitsud-hold-config.js'

export class HeldClient {
  readonly socket: Socket
  /** Everything that came, in order. */
  text = ''
  /** The peer has ended its direction. */
  ended = false
  /** Why it was closed. */
  error: string | undefined
  readonly #closed: Promise<void>

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      this.text += chunk
    })
    socket.once('end', () => {
      this.ended = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code
    })
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()))
  }

  /** Resolves when the kernel has connected it, which needs nobody to accept; or when it was reset before we could see that. */
  static async to(address: string): Promise<HeldClient> {
    const { host, port } = parseSocketAddress(address)!
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
    const client = new HeldClient(socket)
    await Promise.race([client.#closed, once(socket, 'connect').catch(() => undefined)])
    return client
  }

  /** What it saw: all bytes, and how it ended. */
  async outcome(): Promise<{ text: string; ended: boolean; error: string | undefined }> {
    await this.#closed
    return { text: this.text, ended: this.ended, error: this.error }
  }
}

/** Of a client that was reset with nothing said. */
export const RESET = { text: '', ended: false, error: 'ECONNRESET' } as const
