// How long connecting takes, one after the other: until connect() gives a socket, and until the server's first byte
// is there. The kernel accepts a unix or TCP connection before the server knows of it; only the byte compares like
// with like.
import { connectTo, listen } from '../endpoint.js'
import type { Job, Metrics, Workload } from '../job.js'
import { quantile } from '../statistics.js'

interface Times {
  readonly connectMicros: number
  readonly greetedMicros: number
}

export const connecting: Workload = {
  serve: (job) =>
    listen(job, (socket) => {
      socket.on('error', () => undefined)
      socket.resume()
      socket.write('!')
    }),

  async measure(job: Job, address: string): Promise<Metrics> {
    const first = await once(job, address)
    const times: Times[] = []
    for (let i = 0; i < (job.repetitions ?? 0); i++) times.push(await once(job, address))
    return {
      firstMicros: first.connectMicros,
      connectMicros: quantile(
        times.map(({ connectMicros }) => connectMicros),
        0.5,
      ),
      greetedMicros: quantile(
        times.map(({ greetedMicros }) => greetedMicros),
        0.5,
      ),
    }
  },
}

async function once(job: Job, address: string): Promise<Times> {
  const startMs = performance.now()
  const socket = await connectTo(job, address)
  const connectedMs = performance.now()
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve())
    socket.once('error', reject)
  })
  const greetedMs = performance.now()
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()))
  socket.end()
  await closed
  return { connectMicros: (connectedMs - startMs) * 1000, greetedMicros: (greetedMs - startMs) * 1000 }
}
