// How fast bytes go one way: the server writes as fast as it is let, the client counts. Which bytes they are is the
// tests' business.
import type { Duplex } from 'node:stream'
import { connectTo, listen } from '../endpoint.js'
import type { Job, Link, Metrics, Workload } from '../job.js'

/** As much as libuv reads at once, so that nobody is cut short by the buffer. */
const READ_BUFFER_BYTES = 64 * 1024
/** Written between two looks at the clock. */
const LOOK_BYTES = 256 * 1024

export const bulk: Workload = {
  serve: (job, link) => listen(job, (socket) => pour(job, socket, (written) => link.tell(String(written)))),

  async measure(job: Job, address: string, link: Link): Promise<Metrics> {
    const gauge = new Gauge(job.warmUpMs)
    const { socket, ended } = await reader(job, address, gauge)
    await ended
    const metrics = gauge.finish()
    const written = Number(await link.heard())
    if (gauge.total !== written) throw new Error(`${written} bytes were written and ${gauge.total} arrived`)
    socket.end()
    return metrics
  },
}

async function reader(job: Job, address: string, gauge: Gauge): Promise<{ socket: Duplex; ended: Promise<void> }> {
  const onread = {
    buffer: Buffer.alloc(READ_BUFFER_BYTES),
    callback: (count: number) => {
      gauge.add(count)
      return true
    },
  }
  const socket = await connectTo(job, address, job.reusesBuffer === true ? onread : undefined)
  const ended = new Promise<void>((resolve, reject) => {
    socket.once('end', resolve)
    socket.once('error', reject)
  })
  if (job.reusesBuffer !== true) socket.on('data', (chunk: Buffer) => gauge.add(chunk.length))
  return { socket, ended }
}

/** Write the same chunk again and again, waiting for `drain` when told to, until time is up. */
function pour(job: Job, socket: Duplex, onEnd: (written: number) => void): void {
  const chunk = Buffer.alloc(job.writeBytes ?? 0, 'conduit ')
  const lookEvery = Math.max(1, LOOK_BYTES / chunk.length)
  const until = performance.now() + job.warmUpMs + job.measureMs
  let writes = 0
  const go = (): void => {
    for (;;) {
      if (writes % lookEvery === 0 && performance.now() >= until) {
        socket.end(() => onEnd(writes * chunk.length))
        return
      }
      writes++
      if (!socket.write(chunk)) return
    }
  }
  socket.on('drain', go)
  go()
}

/** Counts what comes; the rate is that of what came after the warm-up. */
class Gauge {
  total = 0
  #firstMs = 0
  #startMs = 0
  #startTotal = 0
  readonly #warmUpMs: number

  constructor(warmUpMs: number) {
    this.#warmUpMs = warmUpMs
  }

  add(count: number): void {
    this.total += count
    if (this.#startMs !== 0) return
    const now = performance.now()
    if (this.#firstMs === 0) this.#firstMs = now
    if (now - this.#firstMs < this.#warmUpMs) return
    this.#startMs = now
    this.#startTotal = this.total
  }

  finish(): Metrics {
    if (this.#startMs === 0) throw new Error('the stream ended before it was warm')
    const seconds = (performance.now() - this.#startMs) / 1000
    return { bytesPerSecond: (this.total - this.#startTotal) / seconds }
  }
}
