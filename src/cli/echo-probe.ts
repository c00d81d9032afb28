// Round trips over one open connection to a peer that sends back what it gets: writes a payload, waits for as many
// bytes, and checks that they are the same.
import { ConduitError, type ConduitSocket } from '../index.js'
import { closePolitely } from './close-politely.js'

export interface EchoProbeOptions {
  readonly payloadBytes: number
  /** For each round. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onTimeout: () => ConduitError
}

const BYTE = 256

export class EchoProbe {
  readonly #socket: ConduitSocket
  readonly #payload: Buffer
  readonly #options: EchoProbeOptions
  #rounds = 0
  #awaited = 0
  #settle: ((error?: unknown) => void) | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(socket: ConduitSocket, options: EchoProbeOptions) {
    this.#socket = socket
    this.#options = options
    this.#payload = Buffer.alloc(options.payloadBytes)
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('end', () => this.#fail(this.#wrong('ECONNRESET', 'the peer ended the connection')))
    options.signal.addEventListener('abort', () => this.#fail(options.signal.reason), { once: true })
  }

  /** Milliseconds from the write to the last byte of the answer. @throws ConduitError ETIMEDOUT, ECONNRESET, EINVAL, … */
  round(): Promise<number> {
    const { promise, resolve, reject } = deferred<number>()
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error)
    this.#payload.fill(this.#rounds++ % BYTE)
    this.#awaited = this.#payload.length
    const timer = setTimeout(() => this.#fail(this.#options.onTimeout()), this.#options.timeoutMs)
    const startMs = performance.now()
    this.#settle = (failure) => {
      clearTimeout(timer)
      this.#settle = undefined
      if (failure === undefined) resolve(performance.now() - startMs)
      else reject(failure)
    }
    this.#socket.write(this.#payload)
    return promise
  }

  close(): Promise<void> {
    return closePolitely(this.#socket)
  }

  #received(chunk: Buffer): void {
    const expected = this.#payload[0]
    if (chunk.length > this.#awaited || chunk.some((byte) => byte !== expected)) {
      this.#fail(this.#wrong('EINVAL', 'the peer sent something else than it got: it is no echo'))
      return
    }
    this.#awaited -= chunk.length
    if (this.#awaited === 0) this.#settle?.()
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#settle?.(error)
  }

  #wrong(code: 'ECONNRESET' | 'EINVAL', why: string): ConduitError {
    return new ConduitError(code, `ping ${this.#socket.remoteAddress ?? ''}: ${why}`, {
      hint: 'try it against `conduit-cat -kl NAME -e cat`, or without --echo',
    })
  }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
