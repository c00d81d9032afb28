// One query over UDP, from a socket of its own: its port is the kernel's random choice, and no answer to another query, nor a late
// one, can come in. Forged answers are passed over and counted.
import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import type { Clock } from '../conduit/clock.js'
import { checkAnswer } from './dns-answer-check.js'
import { unreachable } from './dns-failure.js'
import { DnsRepeat } from './dns-repeat.js'
import type { DnsServerAddress } from './dns-server-address.js'

export interface UdpExchange {
  readonly server: DnsServerAddress
  /** Its id is replaced by a random one. */
  readonly query: Buffer
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Milliseconds without an answer until the same datagram is sent again, doubled each time; undefined: it is sent once. */
  readonly repeatAfterMs: number | undefined
}

/** So many answers that do not fit are an attack: TCP is not guessed so easily (RFC 5452 9.3 asks for such a limit). */
const FORGERIES_MAX = 16

/** The whole answer, or `use-tcp` when it was truncated or somebody guesses. @throws ConduitError RESOLVER; the signal's reason */
export function exchangeOverUdp(exchange: UdpExchange): Promise<Buffer | 'use-tcp'> {
  const { server, signal } = exchange
  if (signal.aborted) return Promise.reject(signal.reason)
  const query = Buffer.from(exchange.query)
  query.writeUInt16BE(randomInt(0x10000), 0)
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.family === 6 ? 'udp6' : 'udp4')
    const { clock, repeatAfterMs } = exchange
    const repeat = repeatAfterMs === undefined ? undefined : new DnsRepeat(clock, repeatAfterMs)
    let forgeries = 0
    let done = false
    const finish = (settle: () => void): void => {
      if (done) return
      done = true
      repeat?.stop()
      signal.removeEventListener('abort', onAbort)
      socket.close()
      settle()
    }
    const fail = (error: Error) => finish(() => reject(unreachable(server, error)))
    const onAbort = () => finish(() => reject(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', fail)
    socket.on('message', (answer, from) => {
      if (done) return
      const check = isFrom(socket, from) ? checkAnswer(query, answer) : { fits: false as const }
      if (check.fits) finish(() => resolve(check.truncated ? 'use-tcp' : answer))
      else if (++forgeries === FORGERIES_MAX) finish(() => resolve('use-tcp'))
    })
    const send = () => socket.send(query, (error) => error && fail(error))
    // A callback of connect() would get its error as well, in place of the listener above.
    socket.on('connect', () => {
      if (done) return
      send()
      repeat?.start(send)
    })
    // Connected: the kernel lets in what comes from there alone, and reports a port where nobody listens.
    socket.connect(server.port, server.address)
  })
}

/** What came between bind and connect may be from anybody. */
function isFrom(socket: Socket, from: { readonly address: string; readonly port: number }): boolean {
  const peer = socket.remoteAddress()
  return from.port === peer.port && from.address === peer.address
}
