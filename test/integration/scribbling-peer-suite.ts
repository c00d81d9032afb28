// A peer process that scribbles on the control page while this one works: every connection ends, with a code if it
// has to; this process goes on, and so does its connection to an honest peer. Nothing is left.
import { once } from 'node:events'
import { expect } from 'chai'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { echoOnce } from '../support/echo-line.js'
import { until } from '../support/local-world.js'
import type { PeerProcess } from '../support/peer-processes.js'
import { type WithstandWorld, withstandWorld } from '../support/withstand-world.js'
import type { ScribbleCommand, Target } from './children/scribbling-process.js'

const TARGETS: readonly Target[] = ['anything', 'indices', 'notify', 'live', 'orders and grants', 'end marks']
const BURSTS = 10
/** `end` is no error: nothing impossible was written, but that the peer had ended. */
const ENDS = ['end', 'VCHAN_CORRUPT', 'ECONNRESET', 'EPIPE']
const CHUNK = Buffer.alloc(8192, 'victim')

/** How a socket that never stops writing ends. */
function endOf(socket: ConduitSocket): Promise<string> {
  let end = 'close'
  socket.on('end', () => {
    end = 'end'
  })
  socket.on('error', (error: Error & { code?: string }) => {
    end = error.code ?? error.message
  })
  socket.resume()
  const fill = (): void => {
    while (socket.writable && socket.write(CHUNK));
  }
  socket.on('drain', fill)
  fill()
  return new Promise((resolve) => socket.once('close', () => resolve(end)))
}

/** `goesOn(round)` says whether there is another round. */
export function scribblingPeer(goesOn: (round: number) => boolean): void {
  let world: WithstandWorld
  let scribbler: PeerProcess<ScribbleCommand>
  let honest: ConduitSocket

  beforeEach(async () => {
    world = await withstandWorld()
    const peer = await world.peer()
    await peer.tell({ do: 'echo', name: 'honest' })
    honest = await world.conduit.connect('honest')
    scribbler = await world.peerOf<ScribbleCommand>('scribbling-process')
  })
  afterEach(() => world.close())

  async function thisProcessGoesOn(round: number): Promise<void> {
    const line = Buffer.from(`honest ${round}\n`)
    expect(await echoOnce(honest, line)).to.deep.equal(line)
  }

  async function endHonestly(): Promise<void> {
    const closed = once(honest, 'close')
    honest.end()
    await closed
  }

  /** `body` gives the ends of the connections of a round: every round, and one before in which nothing is scribbled. */
  async function rounds(
    name: string,
    body: (target: Target, seed: number, bursts: number) => Promise<string[]>,
  ): Promise<void> {
    // What the first connection makes for good, such as the link between the two processes, is no leak.
    await body('anything', 0, 0)
    const settled = world.holdingsSettle([process.pid, scribbler.pid, ...world.hypervisors()])
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const seen = new Set<string>()
    try {
      for (let round = 0; goesOn(round); round++) {
        const target = TARGETS[round % TARGETS.length]!
        const before = ticks
        for (const end of await body(target, round, BURSTS)) {
          const what = `round ${round}, ${target}`
          expect(end, what).to.be.oneOf(ENDS)
          // Private copies: nobody reads these again, so nothing has happened until the scribbler closed.
          if (target === 'orders and grants') expect(end, what).to.not.equal('VCHAN_CORRUPT')
          seen.add(end)
        }
        await thisProcessGoesOn(round)
        await until(() => ticks > before)
      }
    } finally {
      // A failure must end the run, not keep it alive.
      clearInterval(timer)
    }
    // Otherwise nobody scribbled.
    expect([...seen]).to.include.members(['VCHAN_CORRUPT', 'ECONNRESET'])
    await endHonestly()
    await settled()
    await world.storeIsEmpty(name)
  }

  it('ends a server’s connections with a code', async () => {
    // A client may spoil its own arrival, and then there is none.
    const ends: Promise<string>[] = []
    const server = world.conduit.createServer((socket: ConduitSocket) => void ends.push(endOf(socket)))
    await server.listen('victim')
    await rounds('victim', async (target, seed, bursts) => {
      await scribbler.tell({ do: 'scribble', name: 'victim', target, seed, bursts })
      return Promise.all(ends.splice(0))
    })
    await server.close()
    expect(await Promise.all(ends)).to.satisfy((late: string[]) => late.every((end) => ENDS.includes(end)))
  })

  it('ends a client’s connections with a code', async () => {
    await scribbler.tell({ do: 'listen', name: 'trap' })
    await rounds('trap', async (target, seed, bursts) => {
      await scribbler.tell({ do: 'prepare', target, seed, bursts })
      return [await endOf(await world.conduit.connect('trap', { ringBytes: 65_536 }))]
    })
  })
}
