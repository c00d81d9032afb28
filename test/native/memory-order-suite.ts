// The memory order of the shared page between two real threads, each with a mapping of its own of the same file: what two
// processes have. Not a SharedArrayBuffer: the rings work on ordinary ArrayBuffers, and that Atomics order those too is what
// is to be shown. Its length is the caller's: seconds among the tests, minutes in the soak.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { OFFSET } from '../../protocol/vchan-page.js'
import { PAGE_BYTES } from '../../protocol/xen.js'
import { native } from '../../src/native.js'
import type { RingEndData, RingEndReport } from './children/ring-end.js'
import type { StoreBufferData } from './children/store-buffer-end.js'

export interface MemoryOrderOptions {
  /** In each direction, for each pair of rings and seed. */
  readonly bytes: number
  readonly seeds: readonly number[]
  readonly rounds: number
}

/** Small enough that both ends are at a full or an empty ring all the time. */
const ORDERS = [
  { left: 10, right: 11 },
  { left: 11, right: 12 },
  { left: 12, right: 12 },
]
/** Where the two meet in one round, each with two cache lines of its own. */
const PLACES = 32
/** A few rings before the indices wrap. */
const START = 0xffff_e000

export function memoryOrder({ bytes, seeds, rounds }: MemoryOrderOptions): void {
  let fd: number
  let threads: Worker[] = []

  const thread = (script: string, workerData: RingEndData | StoreBufferData): Worker => {
    const worker = new Worker(fileURLToPath(new URL(`./children/${script}.js`, import.meta.url)), { workerData })
    threads.push(worker)
    return worker
  }
  const answer = async <T>(worker: Worker): Promise<T> => ((await once(worker, 'message')) as [T])[0]

  beforeEach(() => {
    fd = native().memfdCreate('conduit-test', 3 * PAGE_BYTES)
  })
  afterEach(async () => {
    // One that waits for a kick that never came is ended here.
    await Promise.all(threads.map((worker) => worker.terminate()))
    threads = []
    native().closeFd(fd)
  })

  for (const orders of ORDERS) {
    for (const seed of seeds) {
      const title = `I2, I3, I5: rings of ${2 ** orders.left} and ${2 ** orders.right} bytes between two threads carry every byte, once and in order, and no wake-up is lost (seed ${seed})`
      it(title, async () => {
        startPage(fd)
        const bells = new SharedArrayBuffer(8)
        const end = async (role: 'server' | 'client', own: number): Promise<RingEndReport> => {
          const worker = thread('ring-end', { fd, role, orders, seed: own, bytes, bells })
          const report = await answer<RingEndReport>(worker)
          // At once: the other end may wait for ever for what this one did not write.
          if (report.fault !== undefined) throw new Error(report.fault)
          return report
        }
        const reports = await Promise.all([end('server', 2 * seed), end('client', 2 * seed + 1)])
        // Both slept and were woken, or nothing was shown.
        for (const { sleeps, notifies } of reports) expect(Math.min(sleeps, notifies)).to.be.greaterThan(0)
      })
    }
  }

  it('I2: whoever publishes and sees no request, and whoever requests and sees no publication, are never both', async () => {
    const outcomes = new SharedArrayBuffer(2 * PLACES * rounds)
    const barrier = new SharedArrayBuffer(4)
    const ends = (['writer', 'reader'] as const).map((role) =>
      answer(thread('store-buffer-end', { fd, role, rounds, places: PLACES, barrier, outcomes })),
    )
    await Promise.all(ends)
    const results = new Uint8Array(outcomes)
    const counts = [0, 0, 0, 0]
    for (let at = 0; at < results.length; at += 2) counts[2 * results[at]! + results[at + 1]!]!++
    const [neither, seenOnly, toldOnly] = counts
    expect(neither, `told only ${toldOnly}, seen only ${seenOnly}`).to.equal(0)
    // The threads did meet: each came first at times.
    expect(Math.min(seenOnly!, toldOnly!)).to.be.greaterThan(0)
  })
}

/** As a server leaves the page at connect: both ends may sleep before they have looked. */
function startPage(fd: number): void {
  const mapping = new (native().Mapping)(Float64Array.of(fd, 0, PAGE_BYTES), true)
  const view = new DataView(mapping.buffer)
  for (const at of [OFFSET.LEFT_CONS, OFFSET.LEFT_PROD, OFFSET.RIGHT_CONS, OFFSET.RIGHT_PROD]) {
    view.setUint32(at, START, true)
  }
  for (const at of [OFFSET.CLI_NOTIFY, OFFSET.SRV_NOTIFY, OFFSET.CLI_LIVE, OFFSET.SRV_LIVE]) view.setUint8(at, 1)
  mapping.close()
}
