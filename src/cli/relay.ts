// Moves bytes both ways between a connection and a pair of local streams, with half-close and back-pressure, until
// both directions have ended or one has failed. Knows no names and prints nothing.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Readable, Writable } from 'node:stream'
import { ConduitError, type ConduitSocket } from '../index.js'
import { OutputClosed } from './exit-status.js'
import type { LocalEnd } from './standard-streams.js'

export interface RelayOptions {
  /** Aborts with what the relay shall reject with; the peer sees a reset. */
  readonly signal: AbortSignal
  /** Fail with ETIMEDOUT after so long without a byte either way. */
  readonly idleMs?: number | undefined
  /** The streams outlive this connection: leave the output open, and end our direction when the peer has ended his. */
  readonly keepLocal?: boolean | undefined
  /** What a reader of the output that has gone means: the end of the relay, or that the peer's bytes go nowhere. */
  readonly onOutputClosed?: 'fail' | 'discard' | undefined
}

const WAKEUP_CHANNEL = 'conduit:socket:wakeup'

/**
 * Resolves when both directions have ended cleanly and everything is written out.
 * @throws ConduitError ECONNRESET, EPIPE, ETIMEDOUT, VCHAN_CORRUPT, SYSTEM (a local stream); {@link OutputClosed}; the signal's reason
 */
export function relay(socket: ConduitSocket, local: LocalEnd, options: RelayOptions): Promise<void> {
  return new Relay(socket, local, options).done
}

class Relay {
  readonly done: Promise<void>
  readonly #socket: ConduitSocket
  readonly #input: Readable
  readonly #output: Writable
  readonly #options: RelayOptions
  readonly #cleanups: (() => void)[] = []
  #failure: { readonly error: unknown } | undefined
  #outputGone = false
  /** Not writableFinished: process.stdout starts anew once it has finished. */
  #outputFinished = false

  constructor(socket: ConduitSocket, { input, output }: LocalEnd, options: RelayOptions) {
    this.#socket = socket
    this.#input = input
    this.#output = output
    this.#options = options
    this.done = new Promise((resolve, reject) => {
      socket.once('close', () => {
        this.#finish().then(resolve, reject)
      })
    })
    this.#listen()
    this.#start()
  }

  #listen(): void {
    const { signal, idleMs } = this.#options
    this.#on(this.#socket, 'error', (error) => this.#fail(error))
    this.#on(this.#socket, 'end', () => this.#peerEnded())
    this.#on(this.#input, 'end', () => this.#socket.end())
    this.#on(this.#input, 'error', (error) => this.#fail(localError('read from standard input', error)))
    this.#on(this.#output, 'error', (error) => this.#outputFailed(error as NodeJS.ErrnoException))
    this.#on(this.#output, 'finish', () => {
      this.#outputFinished = true
    })
    const onAbort = (): void => this.#fail(signal.reason)
    signal.addEventListener('abort', onAbort)
    this.#cleanups.push(() => signal.removeEventListener('abort', onAbort))
    if (idleMs !== undefined) this.#socket.setTimeout(idleMs, () => this.#fail(idleError(this.#socket, idleMs)))
  }

  #start(): void {
    if (this.#options.signal.aborted) {
      this.#fail(this.#options.signal.reason)
      return
    }
    this.#socket.pipe(this.#output, { end: false })
    if (this.#input.readableEnded) this.#socket.end()
    else this.#input.pipe(this.#socket, { end: false })
  }

  #on(emitter: NodeJS.EventEmitter, event: string, listener: (argument: unknown) => void): void {
    emitter.on(event, listener)
    this.#cleanups.push(() => emitter.off(event, listener))
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#socket.destroy()
  }

  #peerEnded(): void {
    if (this.#options.keepLocal) {
      this.#endOurs()
      return
    }
    if (!this.#outputGone) this.#output.end()
    if (this.#socket.channel?.peerGone) {
      this.#peerClosed()
      return
    }
    // Order matters: subscribed first, looked at after, so that a close in between is not missed.
    const onWakeup = (message: unknown): void => {
      if ((message as { socket?: unknown }).socket === this.#socket && this.#socket.channel?.peerGone) {
        this.#peerClosed()
      }
    }
    subscribe(WAKEUP_CHANNEL, onWakeup)
    this.#cleanups.push(() => unsubscribe(WAKEUP_CHANNEL, onWakeup))
  }

  /**
   * The peer has closed after its end: nothing more can reach it. What a file still holds, or a pipe right now, is lost and
   * fails the write; somebody at a terminal is not asked to press Enter first.
   */
  #peerClosed(): void {
    if (this.#socket.writableEnded || this.#input.readableEnded) return
    if (isFile(this.#input)) return
    setImmediate(() => setImmediate(() => this.#endOurs()))
  }

  #endOurs(): void {
    this.#input.unpipe(this.#socket)
    if (!this.#socket.writableEnded) this.#socket.end()
  }

  #outputFailed(error: NodeJS.ErrnoException): void {
    const { onOutputClosed = 'fail' } = this.#options
    const closed = error.code === 'EPIPE' || error.code === 'ECONNRESET'
    this.#outputGone = true
    if (!closed) this.#fail(localError('write to standard output', error))
    else if (onOutputClosed === 'fail') this.#fail(new OutputClosed('nobody reads the output any more'))
    else {
      this.#socket.unpipe(this.#output)
      this.#socket.resume()
    }
  }

  /** The connection is gone: let go of the streams, and let what was received reach its reader. */
  async #finish(): Promise<void> {
    this.#input.unpipe(this.#socket)
    this.#input.pause()
    if (!this.#outputGone && !(this.#failure?.error instanceof OutputClosed)) await this.#flush()
    for (const cleanup of this.#cleanups) cleanup()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #flush(): Promise<void> {
    const output = this.#output
    if (this.#outputFinished || output.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      output.once('error', () => resolve())
      output.once('close', () => resolve())
      this.#options.signal.addEventListener('abort', () => resolve(), { once: true })
      if (output.writableEnded) output.once('finish', () => resolve())
      else if (this.#options.keepLocal) output.write('', () => resolve())
      else output.end(() => resolve())
    })
  }
}

const isFile = (input: Readable): boolean => 'bytesRead' in input && 'flags' in input

function localError(tried: string, cause: unknown): ConduitError {
  const { message, code, syscall } = cause as NodeJS.ErrnoException
  return new ConduitError('SYSTEM', `${tried}: ${message}`, { errno: code, syscall, cause })
}

function idleError(socket: ConduitSocket, idleMs: number): ConduitError {
  const who = socket.remoteAddress ?? 'the peer'
  return new ConduitError('ETIMEDOUT', `transfer with ${who}: not a byte either way for ${idleMs / 1000} s`, {
    hint: 'allow more with -w SECONDS',
  })
}
