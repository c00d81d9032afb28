// What an idle connection costs in resident memory, both processes together. Shared pages count in either process's
// RSS; PSS halves them.
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { connectTo, listen } from '../endpoint.js'
import type { Job, Link, Metrics, Workload } from '../job.js'

interface Footprint {
  readonly rssBytes: number
  readonly pssBytes: number
}

/** So many that heap and allocator have grown to size: what is measured is the price of one more. */
const WARM_UP_CONNECTIONS = 200
/** Collections before a look, and the rest between them: finalizers and timers run in between. */
const COLLECTIONS = 3
const REST_MS = 50

export const memory: Workload = {
  async serve(job, link) {
    const open = new Set<Duplex>()
    const address = await listen(job, (socket) => {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => open.delete(socket))
      socket.resume()
    })
    void answer(link, open)
    return address
  },

  async measure(job: Job, address: string, link: Link): Promise<Metrics> {
    const count = job.repetitions ?? 0
    const early = await openMany(job, address, WARM_UP_CONNECTIONS)
    const before = await bothFootprints(link, WARM_UP_CONNECTIONS)
    const sockets = await openMany(job, address, count)
    const after = await bothFootprints(link, WARM_UP_CONNECTIONS + count)
    for (const socket of [...early, ...sockets]) socket.end()
    return {
      rssBytesPerChannel: (after.rssBytes - before.rssBytes) / count,
      pssBytesPerChannel: (after.pssBytes - before.pssBytes) / count,
    }
  },
}

async function openMany(job: Job, address: string, count: number): Promise<Duplex[]> {
  const sockets: Duplex[] = []
  for (let i = 0; i < count; i++) {
    const socket = await connectTo(job, address)
    socket.resume()
    sockets.push(socket)
  }
  return sockets
}

/** The server's side: told how many connections there should be, says what it holds. */
async function answer(link: Link, open: ReadonlySet<Duplex>): Promise<void> {
  for (;;) {
    const wanted = Number(await link.heard())
    while (open.size < wanted) await delay(REST_MS)
    link.tell(JSON.stringify(await footprint()))
  }
}

async function bothFootprints(link: Link, connections: number): Promise<Footprint> {
  const own = await footprint()
  link.tell(String(connections))
  const other = JSON.parse(await link.heard()) as Footprint
  return { rssBytes: own.rssBytes + other.rssBytes, pssBytes: own.pssBytes + other.pssBytes }
}

async function footprint(): Promise<Footprint> {
  for (let i = 0; i < COLLECTIONS; i++) {
    globalThis.gc?.()
    await delay(REST_MS)
  }
  const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8')
  return { rssBytes: kibOf('Rss', rollup) * 1024, pssBytes: kibOf('Pss', rollup) * 1024 }
}

function kibOf(key: string, rollup: string): number {
  const found = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(rollup)
  if (found === null) throw new Error(`no ${key} in /proc/self/smaps_rollup`)
  return Number(found[1])
}
