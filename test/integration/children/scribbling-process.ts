// A peer that connects, echoes, and writes whatever it likes into the control page meanwhile: it has the page mapped,
// as every peer has. Driven by messages as peer-process.ts is.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { END_MARK, endMarksOffset, OFFSET } from '../../../protocol/vchan-page.js'
import { PAGE_BYTES } from '../../../protocol/xen.js'
import { Conduit } from '../../../src/conduit/conduit.js'
import { LocalSubstrate } from '../../../src/substrate/local/local-substrate.js'
import type { Pages, Share } from '../../../src/substrate/substrate.js'
import type { ConduitSocket } from '../../../src/vchan/socket.js'
import { HYPERVISOR_ENTRY } from '../../support/local-world.js'
import { randomSource } from '../../support/random-source.js'

/** What is written over: everything, or one thing and nothing else. */
export type Target = 'anything' | 'indices' | 'notify' | 'live' | 'orders and grants' | 'end marks'

export type ScribbleCommand =
  | { do: 'open'; directory: string }
  /** Listen; scribble on the pages of whoever connects, as told last. */
  | { do: 'listen'; name: string }
  /** What to do to the next client. */
  | { do: 'prepare'; target: Target; seed: number; bursts: number }
  /** Connect, scribble, close. */
  | { do: 'scribble'; name: string; target: Target; seed: number; bursts: number }

const RING_BYTES = 65_536
const ORDERS = { left: 16, right: 16 }
/** Writes between two looks at our own socket. */
const BURST = 2000

let conduit: Conduit
let controlPage: Pages | undefined
let next: { target: Target; seed: number; bursts: number }

/** The control page is the first of a server's share, and the one that a client maps by itself. */
function keepControlPage(substrate: LocalSubstrate): void {
  const share = substrate.share.bind(substrate)
  const map = substrate.map.bind(substrate)
  substrate.share = async (...args) => {
    controlPage = await share(...args)
    return controlPage as Share
  }
  substrate.map = async (...args) => {
    const mapping = await map(...args)
    if (mapping.bytes === PAGE_BYTES) controlPage = mapping
    return mapping
  }
}

/** Offsets from `first` up to `end`. */
const RANGES: Record<Target, readonly [first: number, end: number]> = {
  anything: [0, PAGE_BYTES],
  indices: [OFFSET.LEFT_CONS, OFFSET.LEFT_ORDER],
  notify: [OFFSET.CLI_NOTIFY, OFFSET.GRANTS],
  live: [OFFSET.CLI_LIVE, OFFSET.CLI_NOTIFY],
  'orders and grants': [OFFSET.GRANTS, endMarksOffset(ORDERS)],
  'end marks': [endMarksOffset(ORDERS), endMarksOffset(ORDERS) + END_MARK.BYTES],
}

function scribbleOnce(page: Uint8Array, target: Target, random: () => number): void {
  // Mostly where it hurts, when anywhere will do.
  const names = Object.keys(RANGES) as Target[]
  const aim = target === 'anything' && random() < 0.9 ? names[Math.floor(random() * names.length)]! : target
  const [first, end] = RANGES[aim]
  if (aim === 'orders and grants' && random() < 0.2) page[OFFSET.LEFT_ORDER + Math.floor(random() * 4)] = random() * 256
  // Small values are the plausible ones: the states of live bytes, notify bits and end marks.
  page[first + Math.floor(random() * (end - first))] = random() < 0.5 ? random() * 4 : random() * 256
}

/** How the socket ended here, if it did: the victim's end is what matters. */
async function scribble(socket: ConduitSocket, page: Pages, { target, seed, bursts }: typeof next): Promise<string> {
  const random = randomSource(seed)
  let end = 'open'
  socket.on('error', (error: Error & { code?: string }) => {
    end = error.code ?? error.message
  })
  const closed = once(socket, 'close').catch(() => undefined)
  socket.on('data', (chunk: Buffer) => socket.write(chunk))
  socket.write('scribbler')
  for (let burst = 0; burst < bursts; burst++) {
    // Our own end may have fallen over what was scribbled; its pages are gone then.
    if (page.closed) break
    const bytes = new Uint8Array(page.buffer)
    for (let write = 0; write < BURST; write++) scribbleOnce(bytes, target, random)
    await turn()
  }
  socket.destroy()
  await closed
  return end
}

async function carryOut(command: ScribbleCommand): Promise<unknown> {
  switch (command.do) {
    case 'open': {
      const substrate = await LocalSubstrate.attach({ directory: command.directory, entry: HYPERVISOR_ENTRY })
      keepControlPage(substrate)
      conduit = await Conduit.open({ substrate, lingerMs: 50, ringBytes: RING_BYTES })
      return conduit.domid
    }
    case 'listen':
      return conduit
        .createServer((socket: ConduitSocket) => void scribble(socket, controlPage!, next))
        .listen(command.name)
    case 'prepare':
      next = command
      return undefined
    case 'scribble':
      return scribble(await conduit.connect(command.name, { ringBytes: RING_BYTES }), controlPage!, command)
  }
}

process.on('disconnect', () => process.exit(1))
process.on('message', async ({ id, command }: { id: number; command: ScribbleCommand }) => {
  try {
    process.send!({ id, done: await carryOut(command) })
  } catch (error) {
    process.send!({ id, failed: (error as { code?: string }).code ?? String(error) })
  }
})
