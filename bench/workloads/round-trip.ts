// How long 64 bytes take there and back, the next at once or after a rest in which both ends fall asleep.
import type { Duplex } from 'node:stream'
import { connectTo, listen } from '../endpoint.js'
import type { Job, Metrics, Workload } from '../job.js'
import { quantile } from '../statistics.js'

const PING_BYTES = 64
const SAMPLES_MAX = 4_000_000

export const roundTrip: Workload = {
  serve: (job) => listen(job, (socket) => socket.on('data', (chunk: Buffer) => socket.write(chunk))),

  async measure(job: Job, address: string): Promise<Metrics> {
    const socket = await connectTo(job, address)
    const samples = await pingPong(job, socket)
    socket.end()
    return { p50Micros: quantile(samples, 0.5), p99Micros: quantile(samples, 0.99), trips: samples.length }
  },
}

/** Microseconds of each trip after the warm-up. */
function pingPong(job: Job, socket: Duplex): Promise<Float64Array> {
  const ping = Buffer.alloc(PING_BYTES, 'ping')
  const samples = new Float64Array(SAMPLES_MAX)
  const pauseMs = job.pauseMs ?? 0
  const warmMs = performance.now() + job.warmUpMs
  const untilMs = warmMs + job.measureMs
  let taken = 0
  let missing = 0
  let sentMs = 0
  return new Promise((resolve, reject) => {
    const send = (): void => {
      missing = PING_BYTES
      sentMs = performance.now()
      socket.write(ping)
    }
    socket.on('data', (chunk: Buffer) => {
      missing -= chunk.length
      if (missing > 0) return
      const now = performance.now()
      if (missing < 0) reject(new Error(`${-missing} bytes more came back than were sent`))
      if (sentMs >= warmMs) samples[taken++] = (now - sentMs) * 1000
      if (now >= untilMs || taken === SAMPLES_MAX) resolve(samples.subarray(0, taken))
      // Warming up is for the compiler: without rests, or a run of rests is over before it has seen the code often.
      else if (pauseMs === 0 || now < warmMs) send()
      else setTimeout(send, pauseMs)
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the server closed in the middle')))
    send()
  })
}
