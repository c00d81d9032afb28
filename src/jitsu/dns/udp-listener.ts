// The UDP half: a datagram in, a datagram out or silence. What is known is answered within the handler.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { DnsServerAddress } from '../../resolver/dns-server-address.js'
import { type Answer, renderAnswer, renderRejected, renderTruncated } from './answer.js'
import { datagramBytes, detached, type Query, type Rejected, readQuery } from './query.js'
import { countAnswer, type ServerParts } from './server-parts.js'

/** Room for a burst: the kernel's default holds some 250 small datagrams. Capped by net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024

export class UdpListener {
  readonly port: number
  readonly #socket: Socket
  readonly #parts: ServerParts
  #closed = false

  private constructor(socket: Socket, parts: ServerParts) {
    this.port = socket.address().port
    this.#socket = socket
    this.#parts = parts
    socket.on('message', (message, from) => this.#take(message, from))
    // A client that went away is no error of the server's, and one socket serves all.
    socket.on('error', () => undefined)
  }

  /** @throws what the kernel said */
  static async listen({ address, port, family }: DnsServerAddress, parts: ServerParts): Promise<UdpListener> {
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // So that [::] and 0.0.0.0 can both be listened on.
      ipv6Only: family === 6,
      // The addresses are those that datagrams came from: there is nothing to look up.
      lookup: (host, _options, done) => done(null, host, family),
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', reject)
        resolve()
      })
    }).catch((error) => {
      socket.close()
      throw error
    })
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
    return new UdpListener(socket, parts)
  }

  async close(): Promise<void> {
    this.#closed = true
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()))
  }

  #take(message: Buffer, from: RemoteInfo): void {
    const { counters, responder, waiting } = this.#parts
    counters.udpQueries++
    const query = readQuery(message)
    // Nobody can be answered at port 0.
    if (query === undefined || from.port === 0) {
      counters.ignored++
      return
    }
    if ('rejectWith' in query) {
      this.#reject(query, from)
      return
    }
    const answer = responder.respond(query)
    if (!('start' in answer)) {
      this.#reply(query, answer, from)
      return
    }
    const key = `${from.address} ${from.port} ${message.toString('latin1', 0, query.head.length)}`
    const kept = detached(query)
    waiting.wait(answer, key, (late) => this.#reply(kept, late, from))
  }

  #reply(query: Query, answer: Answer, from: RemoteInfo): void {
    if (this.#closed) return
    const { counters, rateLimit, nowMs, recursionAvailable } = this.#parts
    const decision = rateLimit?.decide(from.address, nowMs()) ?? 'send'
    if (decision === 'drop') {
      counters.rateDropped++
      return
    }
    if (decision === 'slip') {
      counters.rateSlipped++
      this.#send(renderTruncated(query, recursionAvailable), from)
      return
    }
    const message = renderAnswer(query, answer, { maxBytes: datagramBytes(query), recursionAvailable })
    countAnswer(counters, answer.rcode, message)
    this.#send(message, from)
  }

  #reject(rejected: Rejected, from: RemoteInfo): void {
    const { counters, rateLimit, nowMs } = this.#parts
    const decision = rateLimit?.decide(from.address, nowMs()) ?? 'send'
    if (decision !== 'send') {
      // There is no question that could be asked again over TCP.
      counters.rateDropped++
      return
    }
    const message = renderRejected(rejected)
    countAnswer(counters, rejected.rejectWith, message)
    this.#send(message, from)
  }

  #send(message: Buffer, from: RemoteInfo): void {
    this.#socket.send(message, from.port, from.address)
  }
}
