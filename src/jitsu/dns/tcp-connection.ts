// One client over TCP (RFC 7766): many queries under way, each answered when it is ready, in whatever order. What it sends faster than it
// is answered, or does not read, stays in the kernel.
import type { Socket } from 'node:net'
import { DNS_MAX_BYTES, DnsFrames, frameDns } from '../../../protocol/dns.js'
import type { Timer } from '../../conduit/clock.js'
import { type Answer, renderAnswer, renderRejected } from './answer.js'
import { detached, type Query, readQuery } from './query.js'
import { countAnswer, type ServerParts } from './server-parts.js'

export interface TcpLimits {
  /** Without a whole query and with none under way: a frame that dribbles in does not count. */
  readonly idleMs: number
  /** Queries under way on one connection. */
  readonly outstandingMax: number
}

/** More is not read from a client while it has that much to read. */
const UNREAD_BYTES = 2 * DNS_MAX_BYTES
/** Answers that were waited for may add to it; beyond this the client does not read at all. */
const UNREAD_BYTES_MAX = 16 * DNS_MAX_BYTES

export class TcpConnection {
  readonly #socket: Socket
  readonly #parts: ServerParts
  readonly #limits: TcpLimits
  readonly #frames = new DnsFrames()
  #outstanding = 0
  #ended = false
  #idle: Timer | undefined

  constructor(socket: Socket, parts: ServerParts, limits: TcpLimits) {
    this.#socket = socket
    this.#parts = parts
    this.#limits = limits
    socket.on('data', (chunk) => {
      this.#frames.push(chunk)
      this.#serve()
    })
    socket.on('drain', () => this.#serve())
    socket.on('end', () => {
      this.#ended = true
      this.#serve()
    })
    // How it ended is the client's matter.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#idle?.cancel())
    this.#restartIdle()
  }

  /** Nobody waits on it for an answer. */
  get isIdle(): boolean {
    return this.#outstanding === 0
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #serve(): void {
    // What is answered at once goes out in one piece.
    this.#socket.cork()
    while (!this.#isFull()) {
      const frame = this.#frames.shift()
      if (frame === undefined) break
      this.#parts.counters.tcpQueries++
      this.#take(frame)
    }
    this.#socket.uncork()
    if (this.#isFull()) this.#socket.pause()
    else if (this.#ended && this.#outstanding === 0) this.#socket.end()
    else this.#socket.resume()
  }

  #isFull(): boolean {
    return (
      this.#socket.destroyed ||
      this.#outstanding >= this.#limits.outstandingMax ||
      this.#socket.writableLength > UNREAD_BYTES
    )
  }

  #take(frame: Buffer): void {
    const { counters, responder, waiting } = this.#parts
    const query = readQuery(frame)
    if (query === undefined) {
      counters.ignored++
      return
    }
    this.#restartIdle()
    if ('rejectWith' in query) {
      this.#send(query.rejectWith, renderRejected(query))
      return
    }
    const answer = responder.respond(query)
    if (!('start' in answer)) {
      this.#reply(query, answer)
      return
    }
    this.#outstanding++
    const kept = detached(query)
    waiting.wait(answer, undefined, (late) => {
      this.#outstanding--
      if (this.#socket.destroyed) return
      this.#reply(kept, late)
      this.#restartIdle()
      this.#serve()
    })
  }

  #reply(query: Query, answer: Answer): void {
    const { recursionAvailable } = this.#parts
    this.#send(answer.rcode, renderAnswer(query, answer, { maxBytes: DNS_MAX_BYTES, recursionAvailable }))
  }

  #send(rcode: number, message: Buffer): void {
    countAnswer(this.#parts.counters, rcode, message)
    this.#socket.write(frameDns(message))
    if (this.#socket.writableLength > UNREAD_BYTES_MAX) this.#giveUp()
  }

  #restartIdle(): void {
    this.#idle?.cancel()
    this.#idle = this.#parts.clock.after(this.#limits.idleMs, () => {
      // Its answer is on the way: the time begins anew with it.
      if (this.#outstanding === 0) this.#giveUp()
    })
  }

  #giveUp(): void {
    this.#parts.counters.tcpClosed++
    this.#socket.destroy()
  }
}
