// One of the two threads of the store-buffer litmus, on control pages of its own mapping. The writer publishes prod and looks
// for a request; the reader makes a request and looks at prod. Each does so once at many places, and says what it saw.
import { availableParallelism } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { NOTIFY, OFFSET } from '../../../protocol/vchan-page.js'
import { native } from '../../../src/native.js'
import { ControlPage } from '../../../src/vchan/control-page.js'
import { SharedWords } from '../../../src/vchan/shared-words.js'
import { randomSource } from '../../support/random-source.js'

export interface StoreBufferData {
  readonly fd: number
  readonly role: 'writer' | 'reader'
  readonly rounds: number
  readonly places: number
  /** Counts arrivals of both threads. */
  readonly barrier: SharedArrayBuffer
  /** One byte a place and round: whether the writer told, whether the reader saw. */
  readonly outcomes: SharedArrayBuffer
}

/**
 * What the two touch of a control page, once for each place: the words, and a cache line further on the notify bytes. On one
 * line, as in a real control page, a store and the load behind it wait for the line together, and hardly ever change places.
 */
const PLACE_BYTES = 128
const NOTIFY_LINE = 64
/**
 * Looks for the other thread, some milliseconds of them, before this one sleeps. Sooner, and the kernel would wake the two on
 * one CPU time and again, where they never run at the same moment.
 */
const LOOKS = availableParallelism() > 1 ? 2_000_000 : 0
const DAWDLE_TURNS = 40

const { fd, role, rounds, places: count, barrier, outcomes }: StoreBufferData = workerData
const bytes = count * PLACE_BYTES
const mapping = new (native().Mapping)(Float64Array.of(fd, 0, bytes), true)
const words = new SharedWords(mapping.buffer, bytes)
const arrivals = new Int32Array(barrier)
const results = new Uint8Array(outcomes)
const random = randomSource(role === 'writer' ? 1 : 2)
let spun = 0
let told = 0
const places = Array.from({ length: count }, (_, place) => {
  const base = place * PLACE_BYTES
  const shifted: Pick<SharedWords, keyof SharedWords> = {
    load32: (at) => words.load32(base + at),
    store32: (at, value) => words.store32(base + at, value),
    load8: (at) => words.load8(base + NOTIFY_LINE + at),
    store8: (at, value) => words.store8(base + NOTIFY_LINE + at, value),
    or8: (at, bits) => words.or8(base + NOTIFY_LINE + at, bits),
    and8: (at, bits) => words.and8(base + NOTIFY_LINE + at, bits),
  }
  const bell = {
    notify: () => {
      told = 1
    },
  }
  return new ControlPage(shifted, role === 'writer' ? 'client' : 'server', bell, 24)
})

let meetings = 0

/** Both threads have arrived here. */
function meet(): void {
  const both = 2 * ++meetings
  if (Atomics.add(arrivals, 0, 1) + 1 === both) Atomics.notify(arrivals, 0)
  for (let look = 0; look < LOOKS; look++) if (Atomics.load(arrivals, 0) >= both) return
  for (let now = Atomics.load(arrivals, 0); now < both; now = Atomics.load(arrivals, 0)) Atomics.wait(arrivals, 0, now)
}

/** A few nanoseconds or some more, so that now the one and now the other comes first. */
function dawdle(): void {
  const end = spun + Math.floor(random() * DAWDLE_TURNS)
  while (spun < end) spun++
}

function act(page: ControlPage, round: number): number {
  if (role === 'writer') {
    told = 0
    page.publishProd(round)
    page.payOwed()
    return told
  }
  page.request(NOTIFY.WRITE)
  return page.loadPeerProd() === round ? 1 : 0
}

for (let round = 1; round <= rounds; round++) {
  const first = (round - 1) * count
  for (let place = 0; place < count; place++) {
    // Both have both lines before they meet: a store that waits for one can then be overtaken by the next load.
    words.load8(place * PLACE_BYTES)
    words.load8(place * PLACE_BYTES + NOTIFY_LINE)
    meet()
    dawdle()
    const outcome = act(places[place]!, round)
    results[2 * (first + place) + (role === 'writer' ? 0 : 1)] = outcome
  }
  meet()
  // Requests that the writer did not see are over.
  const request = NOTIFY_LINE + OFFSET.CLI_NOTIFY
  if (role === 'reader') for (let at = 0; at < bytes; at += PLACE_BYTES) words.store8(at + request, 0)
  meet()
}
mapping.close()
parentPort!.postMessage('done')
