// One query over TCP (RFC 7766): a connection, two bytes of length, the message, and the same back.
import { randomInt } from 'node:crypto'
import { connect } from 'node:net'
import { DnsFrames, frameDns } from '../../protocol/dns.js'
import { checkAnswer } from './dns-answer-check.js'
import { answersSomethingElse, unreachable } from './dns-failure.js'
import type { DnsServerAddress } from './dns-server-address.js'

export interface TcpExchange {
  readonly server: DnsServerAddress
  /** Its id is replaced by a random one. */
  readonly query: Buffer
  readonly signal: AbortSignal
}

/** @throws ConduitError RESOLVER; the signal's reason */
export function exchangeOverTcp({ server, query: asked, signal }: TcpExchange): Promise<Buffer> {
  if (signal.aborted) return Promise.reject(signal.reason)
  const query = Buffer.from(asked)
  query.writeUInt16BE(randomInt(0x10000), 0)
  return new Promise((resolve, reject) => {
    const frames = new DnsFrames()
    const socket = connect({ host: server.address, port: server.port, noDelay: true })
    const fail = (error: unknown) => {
      reject(error)
      socket.destroy()
    }
    const onAbort = () => fail(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('close', () => {
      signal.removeEventListener('abort', onAbort)
      reject(unreachable(server, new Error('the connection ended before the answer')))
    })
    socket.on('error', (error) => fail(unreachable(server, error)))
    socket.on('connect', () => socket.write(frameDns(query)))
    socket.on('data', (chunk: Buffer) => {
      frames.push(chunk)
      const answer = frames.shift()
      if (answer === undefined) return
      if (!checkAnswer(query, answer).fits) {
        fail(answersSomethingElse(server))
        return
      }
      resolve(answer)
      socket.destroy()
    })
  })
}
