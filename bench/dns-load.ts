// Asks a server over UDP, so many queries under way at a time, each under an id of its own, and sees how long every answer takes.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { quantile } from './statistics.js'

export interface Load {
  readonly port: number
  /** Its id is replaced. */
  readonly query: Buffer
  readonly window: number
  readonly count: number
  /** @throws for an answer that is none */
  readonly check: (answer: Buffer) => void
}

export interface LoadResult {
  readonly perSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
}

/** So long without any answer means that one was lost: a measurement that lost some is none. */
const PATIENCE_MS = 5000

/** @throws Error when an answer is wrong or missing */
export async function runLoad({ port, query, window, count, check }: Load): Promise<LoadResult> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const micros = new Float64Array(count)
  const sentAt = new Float64Array(count)
  let sent = 0
  let answered = 0
  const send = () => {
    const id = sent++
    const bytes = Buffer.from(query)
    bytes.writeUInt16BE(id & 0xffff, 0)
    sentAt[id] = performance.now()
    socket.send(bytes)
  }
  const startedAt = performance.now()
  try {
    await new Promise<void>((resolve, reject) => {
      const patience = setInterval(() => {
        if (answered === seen) reject(new Error(`${sent - answered} answers are missing`))
        seen = answered
      }, PATIENCE_MS)
      let seen = -1
      socket.on('error', reject)
      socket.on('message', (answer) => {
        // The number of the query: the newest with that id.
        const id = answer.readUInt16BE(0)
        const number = sent - 1 - ((sent - 1 - id) & 0xffff)
        micros[answered++] = (performance.now() - sentAt[number]!) * 1000
        try {
          check(answer)
        } catch (error) {
          reject(error)
        }
        if (sent < count) send()
        if (answered === count) {
          clearInterval(patience)
          resolve()
        }
      })
      for (let i = 0; i < Math.min(window, count); i++) send()
    })
  } finally {
    socket.close()
  }
  const seconds = (performance.now() - startedAt) / 1000
  return { perSecond: count / seconds, p50Micros: quantile(micros, 0.5), p99Micros: quantile(micros, 0.99) }
}
