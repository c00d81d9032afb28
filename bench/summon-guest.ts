// A guest of bench/guest/clock.c, or of the HTTP application, from its launch to the first byte that comes back, on dom0's clock.
import { once } from 'node:events'
import type { Domid } from '../protocol/xen.js'
import type { Conduit } from '../src/conduit/conduit.js'
import type { Launched } from '../src/jitsu/launcher.js'
import type { ConduitSocket } from '../src/vchan/socket.js'
import type { XenstoreClient } from '../src/xenstore/client.js'

/** What the guests serve. */
export const PORT = 'bench'
const READY_KEY = 'data/jitsu/ready'
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: bench\r\n\r\n')
const WORD = Buffer.from('summoned')
/** The word and three times (bench/guest/clock.c). */
const ANSWER_BYTES = 32
/** The quickest of so many exchanges says how the two clocks lie. */
const EXCHANGES = 30

/** Milliseconds of Xen's time. */
export interface GuestTimes {
  readonly began: number
  readonly ready: number
  readonly now: number
}

/** Resolves with the moment when the guest has said that it is ready. Begin before it runs. */
export async function untilReady(store: XenstoreClient, domid: number, signal: AbortSignal): Promise<number> {
  const path = `/local/domain/${domid}/${READY_KEY}`
  for await (const _ of store.watches(path, { signal })) {
    if (await store.exists(path)) return performance.now()
  }
  throw new Error(`the store ended before domain ${domid} was ready`)
}

export class GuestChannel {
  readonly #socket: ConduitSocket

  private constructor(socket: ConduitSocket) {
    this.#socket = socket
  }

  static async open(conduit: Conduit, domid: number): Promise<GuestChannel> {
    const socket = await conduit.connect(`vchan://${domid}/${PORT}`, { wait: true, timeoutMs: 120_000 })
    // The guest is destroyed at the end, under its connection.
    socket.on('error', () => undefined)
    return new GuestChannel(socket)
  }

  /** Resolves with the first byte of a page. */
  async firstHttpByte(): Promise<number> {
    this.#socket.write(REQUEST)
    await once(this.#socket, 'data')
    return performance.now()
  }

  /** One word there and back. */
  async exchange(): Promise<{ readonly times: GuestTimes; readonly sent: number; readonly came: number }> {
    const sent = performance.now()
    this.#socket.write(WORD)
    let answer = Buffer.alloc(0)
    let came = 0
    while (answer.length < ANSWER_BYTES) {
      const [chunk] = (await once(this.#socket, 'data')) as [Buffer]
      if (came === 0) came = performance.now()
      answer = Buffer.concat([answer, chunk])
    }
    if (!answer.subarray(0, WORD.length).equals(WORD)) throw new Error(`${answer.toString('hex')} came back`)
    const at = (offset: number): number => Number(answer.readBigUInt64LE(offset)) / 1e6
    return { times: { began: at(8), ready: at(16), now: at(24) }, sent, came }
  }

  /** What to take from a time of the guest's for one of ours. */
  async clockDistance(): Promise<number> {
    let best = { took: Number.POSITIVE_INFINITY, distance: 0 }
    for (let i = 0; i < EXCHANGES; i++) {
      const { times, sent, came } = await this.exchange()
      if (came - sent < best.took) best = { took: came - sent, distance: times.now - (sent + came) / 2 }
    }
    return best.distance
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** A domain that this process has started, however. */
export interface Started {
  readonly domid: Domid
  destroy(): Promise<void>
}

export function startedOf(launched: Launched): Started {
  return { domid: launched.domid!, destroy: () => launched.stop('destroy') }
}
