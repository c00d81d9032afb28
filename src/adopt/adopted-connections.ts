// The side of a process that takes connections over from jitsud: asks for them, hands each to the program, says what became of it,
// and asks again after jitsud was restarted.
import { HANDOVER_VERSION, type HandoverMessage, HandoverType, splitBytes } from '../../protocol/handover.js'
import type { Clock, Timer } from '../conduit/clock.js'
import { startDeadline, untilAborted } from '../conduit/deadline.js'
import { ConduitError } from '../errors.js'
import { native, systemError } from '../native.js'
import type { AdoptTarget, SocketBehaviour } from './adopt-options.js'
import { AdoptedSocket } from './adopted-socket.js'
import { HandoverLink } from './handover-link.js'
import { TrafficReport } from './traffic-report.js'

/** Pauses before asking a jitsud that has gone: doubled from the first to the longest. */
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5000

export interface AdoptionParts {
  readonly path: string
  readonly target: AdoptTarget
  readonly behaviour: SocketBehaviour
  readonly clock: Clock
  /** Milliseconds for jitsud to answer; 0 for no limit. */
  readonly timeoutMs: number
}

/** Connections that come from jitsud: what adoptConnections() resolves with. */
export class AdoptedConnections {
  readonly #parts: AdoptionParts
  readonly #traffic: TrafficReport
  readonly #onExit = (status: number) => this.#exiting(status)
  #link: HandoverLink | undefined
  #answered: { resolve(): void; reject(error: ConduitError): void } | undefined
  #retry: Timer | undefined
  #retries = 0
  #closing: Promise<void> | undefined
  #stopped: (() => void) | undefined
  #held = true

  /** For adoptConnections(). @internal */
  constructor(parts: AdoptionParts) {
    this.#parts = parts
    this.#traffic = new TrafficReport(parts.clock, (bytes) =>
      this.#link?.send(HandoverType.MOVED, ...splitBytes(bytes)),
    )
  }

  /** Connections that were taken and are still open. */
  get open(): number {
    return this.#traffic.open
  }

  /** Keep the process alive while connections may come, as it does at first. */
  ref(): this {
    this.#held = true
    this.#link?.ref()
    return this
  }

  /** Let the process end although connections may come. */
  unref(): this {
    this.#held = false
    this.#link?.unref()
    this.#retry?.unref()
    return this
  }

  /** Take no more; resolves when none is on its way. Those that are open stay open. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** As close(). */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Ask, and wait to be let in. @internal */
  async attach(signal: AbortSignal | undefined): Promise<void> {
    const { clock, path, timeoutMs } = this.#parts
    const onTimeout = () =>
      new ConduitError('ETIMEDOUT', `jitsud did not answer at ${path} for ${timeoutMs} ms`, {
        endpoint: path,
        hint: 'jitsud is stopped, or has not heard yet which process the launcher started: jitsud status',
      })
    const limit = startDeadline(clock, { signal, timeoutMs, onTimeout })
    const answer = new Promise<void>((resolve, reject) => {
      this.#answered = { resolve, reject }
    })
    try {
      this.#connect()
      await untilAborted(answer, limit.signal)
    } catch (error) {
      this.#end()
      throw error
    } finally {
      limit.clear()
      this.#answered = undefined
    }
  }

  async #close(): Promise<void> {
    this.#retry?.cancel()
    this.#link?.unref()
    if (this.#link !== undefined) await this.#quiet(this.#link)
    if (this.open === 0) this.#end()
  }

  /** Until jitsud has heard that no more is wanted: a connection that is on its way would be reset. */
  async #quiet(link: HandoverLink): Promise<void> {
    const { clock, timeoutMs } = this.#parts
    await new Promise<void>((resolve) => {
      const limit = timeoutMs > 0 ? clock.after(timeoutMs, resolve) : undefined
      limit?.unref()
      this.#stopped = () => {
        limit?.cancel()
        resolve()
      }
      link.send(HandoverType.STOP)
    })
  }

  /** Nothing of this is needed any more. */
  #end(): void {
    this.#link?.close()
    this.#link = undefined
    this.#retry?.cancel()
  }

  #connect(): void {
    const link = new HandoverLink(dial(this.#parts.path), {
      onMessage: (message, fd) => this.#heard(message, fd),
      onClose: () => this.#lost(),
    })
    this.#link = link
    if (this.#held) link.ref()
    link.send(HandoverType.HELLO, HANDOVER_VERSION, this.open)
  }

  #heard({ type, words: [number = 0] }: HandoverMessage, fd: number | undefined): void {
    if (type === HandoverType.CONNECTION) {
      this.#take(number, fd)
      return
    }
    if (fd !== undefined) native().closeFd(fd)
    if (type === HandoverType.WELCOME) {
      this.#retries = 0
      this.#answered?.resolve()
    } else if (type === HandoverType.FOREIGN) {
      this.#answered?.reject(foreign(this.#parts.path))
      this.#end()
      this.#stopped?.()
    } else if (type === HandoverType.STOPPED) this.#stopped?.()
  }

  #take(number: number, fd: number | undefined): void {
    if (fd === undefined) {
      this.#link?.send(HandoverType.REFUSED, number)
      return
    }
    const socket = this.#socket(fd)
    this.#link?.send(HandoverType.TAKEN, number)
    if (this.open === 0) process.on('exit', this.#onExit)
    this.#traffic.add(socket)
    socket.once('close', () => this.#closed(socket))
    const { target } = this.#parts
    if (typeof target === 'function') target(socket)
    else target.emit('connection', socket)
  }

  #socket(fd: number): AdoptedSocket {
    const { socket: options, pauseOnConnect, noDelay, keepAlive, keepAliveInitialDelay } = this.#parts.behaviour
    const socket = new AdoptedSocket(fd, options, () => this.#link?.send(HandoverType.FIRST_BYTE))
    if (pauseOnConnect) socket.pause()
    if (noDelay) socket.setNoDelay(true)
    if (keepAlive) socket.setKeepAlive(true, keepAliveInitialDelay)
    return socket
  }

  #closed(socket: AdoptedSocket): void {
    this.#traffic.remove(socket)
    this.#link?.send(HandoverType.CLOSED, 1)
    if (this.open > 0) return
    process.off('exit', this.#onExit)
    if (this.#closing !== undefined) void this.#closing.then(() => this.#end())
  }

  /** jitsud has gone. Another one may take its place, and finds the connections that are open. */
  #lost(): void {
    this.#link = undefined
    this.#stopped?.()
    if (this.#answered !== undefined) this.#answered.reject(gone(this.#parts.path))
    else if (this.#closing === undefined) this.#askAgain()
  }

  #askAgain(): void {
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#retries++, 10))
    this.#retry = this.#parts.clock.after(delayMs, () => {
      try {
        this.#connect()
      } catch {
        this.#askAgain()
      }
    })
    if (!this.#held) this.#retry.unref()
  }

  /** A process that ends well ends its connections well; one that fails, or is killed, resets them. */
  #exiting(status: number): void {
    if (status !== 0) return
    for (const socket of this.#traffic.connections) (socket as AdoptedSocket).closeCleanly()
  }
}

const gone = (path: string, cause?: unknown): ConduitError =>
  new ConduitError('ECONNREFUSED', `no jitsud hands out connections at ${path}`, {
    endpoint: path,
    hint: 'start jitsud, which launches this program; or unset CONDUIT_HANDOVER and listen on an address',
    cause,
  })

const foreign = (path: string): ConduitError =>
  new ConduitError('EACCES', `jitsud gives no connections of ${path} to this process`, {
    endpoint: path,
    hint: 'they go to the process that the launcher started, its process group and its session: setsid leaves them',
  })

function dial(path: string): number {
  try {
    return native().unixConnect(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw code === 'ENOENT' || code === 'ECONNREFUSED' ? gone(path, cause) : systemError(cause, `connect to ${path}`)
  }
}
