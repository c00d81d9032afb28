// How many 64-byte messages a second go one way: the server sends bursts as fast as it is let, the client counts.
import { connect, createServer } from '../../src/index.js'
import { connectTo, listen, ofClient, ofServer } from '../endpoint.js'
import { FramedSocket, type MessageEnd } from '../framed-socket.js'
import type { Job, Link, Metrics, Workload } from '../job.js'

const MESSAGE_BYTES = 64
/** Sent in one turn of the loop, as one batch or one by one. */
const BURST = 1000
const NAME = 'bench'

export const messages: Workload = {
  async serve(job, link) {
    const onConnection = (end: MessageEnd) => pour(job, end, link)
    if (job.transport !== 'conduit') return listen(job, (socket) => onConnection(new FramedSocket(socket)))
    await createServer({ ...ofServer(job), mode: 'message' }, onConnection).listen(NAME)
    return NAME
  },

  async measure(job: Job, address: string, link: Link): Promise<Metrics> {
    const end: MessageEnd =
      job.transport === 'conduit'
        ? await connect(address, { ...ofClient(job), mode: 'message' })
        : new FramedSocket(await connectTo(job, address))
    const counter = new Counter(job.warmUpMs)
    await count(job, end, counter)
    const sent = Number(await link.heard())
    if (counter.total !== sent) throw new Error(`${sent} messages were sent and ${counter.total} arrived`)
    return counter.metrics
  },
}

function count(job: Job, end: MessageEnd, counter: Counter): Promise<void> {
  return new Promise((resolve, reject) => {
    end.on('error', reject)
    end.on('end', () => {
      counter.finish()
      resolve()
    })
    const check = (message: Buffer): void => {
      if (message.length !== MESSAGE_BYTES) reject(new Error(`a message of ${message.length} bytes`))
    }
    if (job.batched === true) {
      end.on('batch', (batch) => {
        for (const message of batch) check(message)
        counter.add(batch.length)
      })
    } else {
      end.on('message', (message) => {
        check(message)
        counter.add(1)
      })
    }
  })
}

function pour(job: Job, end: MessageEnd, link: Link): void {
  const message = Buffer.alloc(MESSAGE_BYTES, 'message ')
  const burst = new Array<Buffer>(BURST).fill(message)
  const until = performance.now() + job.warmUpMs + job.measureMs
  let sent = 0
  const go = (): void => {
    if (performance.now() >= until) {
      end.end()
      link.tell(String(sent))
      return
    }
    let room = true
    if (job.batched === true) {
      room = end.sendMany(burst)
      sent += BURST
    } else {
      for (let i = 0; i < BURST && room; i++, sent++) room = end.send(message)
    }
    if (room) setImmediate(go)
  }
  end.on('drain', go)
  go()
}

/** As many as came after the warm-up, and how long that took. */
class Counter {
  total = 0
  metrics: Metrics = {}
  #firstMs = 0
  #startMs = 0
  #startTotal = 0
  #lookAt = 0
  readonly #warmUpMs: number

  constructor(warmUpMs: number) {
    this.#warmUpMs = warmUpMs
  }

  add(count: number): void {
    this.total += count
    if (this.#startMs !== 0 || this.total < this.#lookAt) return
    this.#lookAt = this.total + BURST
    const now = performance.now()
    if (this.#firstMs === 0) this.#firstMs = now
    if (now - this.#firstMs < this.#warmUpMs) return
    this.#startMs = now
    this.#startTotal = this.total
  }

  finish(): void {
    const seconds = (performance.now() - this.#startMs) / 1000
    this.metrics = this.#startMs === 0 ? {} : { messagesPerSecond: (this.total - this.#startTotal) / seconds }
  }
}
