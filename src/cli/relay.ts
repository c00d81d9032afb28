// Moves bytes both ways between a connection and a pair of local streams, with half-close and back-pressure, until
// both directions have ended or one has failed. That it resolves says that every byte was handed on at both ends, as far
// as the peer keeps to the same. Knows no names and prints nothing.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Readable, Writable } from 'node:stream'
import { ConduitError, type ConduitSocket } from '../index.js'
import { Delivery } from './delivery.js'
import { OutputClosed } from './exit-status.js'
import type { LocalEnd } from './standard-streams.js'

export interface RelayOptions {
  /** Aborts with what the relay shall reject with; the peer sees a reset. */
  readonly signal: AbortSignal
  /** Fail with ETIMEDOUT after so long without a byte either way. */
  readonly idleMs?: number | undefined
  /** The streams outlive this connection: leave the output open, and end our direction when the peer has ended his. */
  readonly keepLocal?: boolean | undefined
}

const WAKEUP_CHANNEL = 'conduit:socket:wakeup'

/**
 * Resolves when both directions have ended cleanly and everything is written out.
 * @throws ConduitError ECONNRESET, EPIPE, ETIMEDOUT, VCHAN_CORRUPT, SYSTEM (a local stream); {@link OutputClosed}; the signal's reason
 */
export function relay(socket: ConduitSocket, local: LocalEnd, options: RelayOptions): Promise<void> {
  return new Relay(socket, local, options).run()
}

export class Relay {
  protected readonly socket: ConduitSocket
  protected readonly input: Readable
  protected readonly output: Writable
  protected readonly delivery: Delivery
  protected outputGone = false
  readonly #options: RelayOptions
  readonly #cleanups: (() => void)[] = []
  #failure: { readonly error: unknown } | undefined
  /** Not writableFinished: process.stdout starts anew once it has finished. */
  #outputFinished = false

  constructor(socket: ConduitSocket, { input, output }: LocalEnd, options: RelayOptions) {
    this.socket = socket
    this.input = input
    this.output = output
    this.#options = options
    this.delivery = new Delivery(socket, output)
  }

  /** Call once. */
  async run(): Promise<void> {
    // The last bytes are sent when the peer has handed them on, not when they are in the ring.
    this.socket.channel?.linger()
    const closed = new Promise<void>((resolve) => {
      if (this.socket.closed) resolve()
      else this.socket.once('close', () => resolve())
    })
    this.listen()
    this.#start()
    await closed
    await this.#finish()
  }

  protected fail(error: unknown): void {
    this.#failure ??= { error }
    this.socket.destroy()
  }

  protected on(emitter: NodeJS.EventEmitter, event: string, listener: (argument: unknown) => void): void {
    emitter.on(event, listener)
    this.#cleanups.push(() => emitter.off(event, listener))
  }

  protected inputEnded(): void {
    this.socket.end()
  }

  /** @param closed nobody reads the output any more; else it cannot be written for another reason. */
  protected outputFailed(error: unknown, closed: boolean): void {
    this.fail(
      closed ? new OutputClosed('nobody reads the output any more') : localError('write to standard output', error),
    )
  }

  protected listen(): void {
    const { signal, idleMs } = this.#options
    this.on(this.socket, 'error', (error) => this.fail(error))
    this.on(this.socket, 'end', () => this.#peerEnded())
    this.on(this.input, 'end', () => this.inputEnded())
    this.on(this.input, 'error', (error) => this.fail(localError('read from standard input', error)))
    this.on(this.output, 'error', (error) => {
      const { code } = error as NodeJS.ErrnoException
      this.outputGone = true
      this.delivery.stop()
      this.outputFailed(error, code === 'EPIPE' || code === 'ECONNRESET')
    })
    this.on(this.output, 'finish', () => {
      this.#outputFinished = true
    })
    const onAbort = (): void => this.fail(signal.reason)
    signal.addEventListener('abort', onAbort)
    this.#cleanups.push(() => signal.removeEventListener('abort', onAbort))
    if (idleMs !== undefined) this.socket.setTimeout(idleMs, () => this.fail(idleError(this.socket, idleMs)))
  }

  #start(): void {
    if (this.socket.destroyed) {
      this.#failure ??= { error: this.socket.errored ?? peerHasGone(this.socket) }
      return
    }
    if (this.#options.signal.aborted) {
      this.fail(this.#options.signal.reason)
      return
    }
    this.delivery.start()
    if (this.input.readableEnded) this.inputEnded()
    else this.input.pipe(this.socket, { end: false })
  }

  #peerEnded(): void {
    if (this.#options.keepLocal) {
      this.#endOurs()
      return
    }
    if (!this.outputGone) this.output.end()
    this.onPeerGone(() => this.#peerClosed())
  }

  /** Now, or when it goes, perhaps more than once: bytes may still lie in the ring, and nobody may be reading them. */
  protected onPeerGone(callback: () => void): void {
    const look = (): void => {
      if (this.socket.channel?.peerGone) callback()
    }
    const onWakeup = (message: unknown): void => {
      if ((message as { socket?: unknown }).socket === this.socket) look()
    }
    subscribe(WAKEUP_CHANNEL, onWakeup)
    this.#cleanups.push(() => unsubscribe(WAKEUP_CHANNEL, onWakeup))
    look()
  }

  /**
   * The peer has closed after its end: nothing more can reach it. What a file still holds, or a pipe right now, is lost and
   * fails the write; somebody at a terminal is not asked to press Enter first.
   */
  #peerClosed(): void {
    if (this.socket.writableEnded || this.input.readableEnded) return
    if (isFile(this.input)) return
    setImmediate(() => setImmediate(() => this.#endOurs()))
  }

  #endOurs(): void {
    this.input.unpipe(this.socket)
    if (!this.socket.writableEnded) this.socket.end()
  }

  /** The connection is gone: let go of the streams, and let what was received reach its reader. */
  async #finish(): Promise<void> {
    this.delivery.stop()
    this.input.unpipe(this.socket)
    this.input.pause()
    if (!this.outputGone && !(this.#failure?.error instanceof OutputClosed)) await this.#flush()
    for (const cleanup of this.#cleanups) cleanup()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #flush(): Promise<void> {
    const output = this.output
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

/** For who does not read on to the reset. */
export const peerHasGone = (socket: ConduitSocket): ConduitError =>
  new ConduitError('ECONNRESET', `transfer with ${peerOf(socket)}: the peer is gone before the transfer was over`)

const peerOf = (socket: ConduitSocket): string => socket.remoteAddress ?? 'the peer'

function idleError(socket: ConduitSocket, idleMs: number): ConduitError {
  return new ConduitError(
    'ETIMEDOUT',
    `transfer with ${peerOf(socket)}: not a byte either way for ${idleMs / 1000} s`,
    {
      hint: 'allow more with -w SECONDS',
    },
  )
}
