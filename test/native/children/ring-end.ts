// One end of a channel's two rings in a thread of its own, over pages of its own mapping: the real rings, control page and
// sleeper below the channel, a futex in place of the event port. Writes and reads in chunks of random sizes until both
// directions have carried all their bytes, and sleeps whenever the sleeper says that it may.
import { parentPort, workerData } from 'node:worker_threads'
import { inPageOffset, ringBytes } from '../../../protocol/vchan-page.js'
import { domid, evtchnPort, gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { native } from '../../../src/native.js'
import type { EventChannel, Pages } from '../../../src/substrate/substrate.js'
import { openRings } from '../../../src/vchan/channel-parts.js'
import { RingMemory } from '../../../src/vchan/ring-memory.js'
import { SharedWords } from '../../../src/vchan/shared-words.js'
import { Sleeper } from '../../../src/vchan/sleeper.js'
import { randomSource } from '../../support/random-source.js'

export interface RingEndData {
  readonly fd: number
  readonly role: 'server' | 'client'
  readonly orders: { readonly left: number; readonly right: number }
  readonly seed: number
  /** To carry in each direction. */
  readonly bytes: number
  /** Two counters of kicks: to the server, to the client. */
  readonly bells: SharedArrayBuffer
}

export interface RingEndReport {
  readonly fault?: string
  readonly sleeps: number
  readonly notifies: number
  /** Times that the second look found what the first had missed. */
  readonly lateLooks: number
}

/** Looks for a kick before sleeping: from none to more than a peer needs that is running. */
const LOOKS_MAX = 50_000

const { fd, role, orders, seed, bytes, bells }: RingEndData = workerData
const random = randomSource(seed)
const below = (limit: number): number => Math.floor(random() * limit)

const bell = new Int32Array(bells)
const [mine, theirs] = role === 'server' ? [0, 1] : [1, 0]
const event: EventChannel = {
  port: evtchnPort(1),
  wakeMicros: 50,
  notify: () => {
    Atomics.add(bell, theirs, 1)
    Atomics.notify(bell, theirs)
  },
  onEvent: () => {},
  spinOn: () => {},
  spin: () => false,
  ref: () => {},
  unref: () => {},
  close: () => Promise.resolve(),
}

const mapping = new (native().Mapping)(Float64Array.of(fd, 0, 3 * PAGE_BYTES), true)
const { buffer } = mapping
const control: Pages = { buffer, bytes: buffer.byteLength, closed: false, close: () => mapping.close() }
const payload = (order: number, page: number): RingMemory =>
  new RingMemory(buffer, inPageOffset(order) ?? page * PAGE_BYTES, ringBytes(order))
const { page, reader, writer } = openRings({
  ...{ role, peer: domid(1), ringRef: gref(8), port: event.port, event, pages: [control], control, orders },
  ...{ endMarks: false, words: new SharedWords(buffer, PAGE_BYTES) },
  ...{ left: payload(orders.left, 1), right: payload(orders.right, 2) },
})
const sleeper = new Sleeper(event, control, { page, reader, writer }, 0)

/** The byte at a position of a direction: neighbours differ, and so do bytes that a whole ring lies between. */
const byteAt = (position: number, way: number): number => (position * 31 + (position >> 8) * 17 + way) & 0xff
const [wayOut, wayIn] = role === 'server' ? [101, 0] : [0, 101]
const chunkMax = 2 * Math.max(reader.sizeBytes, writer.sizeBytes)
const target = new Uint8Array(chunkMax)
const source = new Uint8Array(chunkMax)
let written = 0
let read = 0
let sleeps = 0

/** @throws Error at a byte that is not the next one of the stream */
function take(): number {
  const count = reader.read(target, 0, 1 + below(chunkMax))
  for (let at = 0; at < count; at++) {
    const expected = byteAt(read + at, wayIn)
    if (target[at] !== expected) throw new Error(`${role}: byte ${read + at} is ${target[at]}, not ${expected}`)
  }
  read += count
  return count
}

function put(): number {
  const count = Math.min(1 + below(chunkMax), bytes - written)
  for (let at = 0; at < count; at++) source[at] = byteAt(written + at, wayOut)
  const moved = writer.write(source, 0, count)
  written += moved
  return moved
}

/** Until neither direction moves: one that is stuck has been found missing, as a channel's owner does. */
function pump(): void {
  for (let moved = true; moved; ) {
    const taken = read < bytes ? take() : 0
    const given = written < bytes ? put() : 0
    // Sometimes between the two, as a tick may end anywhere.
    if (below(3) === 0) page.payOwed()
    moved = taken + given > 0
    if (moved) continue
    if (read < bytes) moved = sleeper.missesData()
    if (written < bytes) moved = sleeper.missesSpace() || moved
  }
}

function wakeUp(): void {
  // Half of the work is done in the handler of an event, half after it, where missing something arms at once.
  if (below(2) === 0) {
    do {
      sleeper.wake('event')
      pump()
      page.payOwed()
    } while (sleeper.rest('event', false) < 0)
  } else {
    sleeper.wake('event')
    sleeper.rest('event', false)
    pump()
    page.payOwed()
  }
}

function run(): void {
  for (;;) {
    // Order matters: kicks are counted from before the look that finds nothing.
    const heard = Atomics.load(bell, mine)
    wakeUp()
    if (read === bytes && written === bytes) return
    // Threads that only ever wake each other end up on one CPU, where nothing of either overtakes anything of the other.
    for (let looks = below(LOOKS_MAX); looks > 0 && Atomics.load(bell, mine) === heard; looks--);
    if (Atomics.wait(bell, mine, heard) === 'ok') sleeps++
  }
}

let fault: string | undefined
try {
  run()
} catch (error) {
  fault = (error as Error).message
}
const report: RingEndReport = {
  ...(fault === undefined ? {} : { fault }),
  ...{ sleeps, notifies: page.notifiesSent, lateLooks: sleeper.lateLooks },
}
mapping.close()
parentPort!.postMessage(report)
