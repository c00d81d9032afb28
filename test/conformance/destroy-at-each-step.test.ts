// `xl destroy` of a client's domain at every step of its connect: no event channel tells of it, no byte is cleared, and what
// the dead had shared or mapped stays so for a while. The store's word has to be enough: the server's end comes
// to an end long before any time limit, holds nothing more, and goes on with others.
import { once } from 'node:events'
import { expect } from 'chai'
import { Conduit } from '../../src/conduit/conduit.js'
import { isConduitError } from '../../src/errors.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { eventually, turns } from '../support/eventually.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryWorld } from '../support/memory-world.js'
import { stepThrough } from '../support/step-through.js'

/** Far less than any limit of the rendezvous, and more than the grace that the substrate's own notice has. */
const PATIENCE_MS = 4000

interface Mortal {
  /** Undefined when it died before it had one. */
  readonly conduit: Conduit | undefined
  /** Resolves when it has been destroyed. */
  readonly dead: Promise<void>
  readonly steps: number
  /** Its pages and ports go, however it ended. */
  bury(): void
}

describe('a domain that is destroyed', () => {
  let world: MemoryWorld
  let survivor: Conduit
  let clock: ManualClock

  beforeEach(async () => {
    world = await MemoryWorld.start()
    clock = new ManualClock()
    survivor = await world.environment({ clock, lingerMs: 0 })
  })
  afterEach(() => world.close())

  /** A domain that is destroyed at its `last` step; 0 for never. It does nothing afterwards, not even to its pages. */
  async function mortal(last: number): Promise<Mortal> {
    const substrate = world.domain()
    const { domid } = substrate
    let [steps, buried] = [0, false]
    let died: () => void = () => undefined
    const dead = new Promise<void>((resolve) => {
      died = resolve
    })
    stepThrough(substrate, () => {
      if (buried) return true
      if (last > 0 && steps >= last) return false
      if (++steps !== last) return true
      world.store.domainDied(domid)
      died()
      return false
    })
    const opening = Conduit.open({ substrate, lingerMs: 0 })
    const conduit = await Promise.race([opening, dead])
    const bury = () => {
      buried = true
      void conduit?.store.close()
      world.kill(domid)
    }
    return {
      conduit: conduit ?? undefined,
      dead,
      bury,
      get steps() {
        return steps
      },
    }
  }

  /** How it ended, once it has: within a patience that no time limit explains. */
  async function outcome(ending: Promise<string>): Promise<string> {
    let over: string | undefined
    void ending.then((how) => {
      over = how
    })
    for (let waitedMs = 0; over === undefined && waitedMs <= PATIENCE_MS; waitedMs += 1000) {
      await turns(100)
      clock.advance(1000)
    }
    await turns(100)
    return over ?? 'nothing, for long'
  }

  const codeOf = (error: unknown): string => {
    if (!isConduitError(error) || error.message === '') throw error
    return error.code
  }

  /** What becomes of a socket whose peer says one word and ends. */
  function fateOf(socket: ConduitSocket): Promise<string> {
    socket.resume()
    socket.end('hello')
    return new Promise((resolve) => {
      socket.on('error', (error) => resolve(codeOf(error)))
      socket.on('close', () => resolve('end'))
    })
  }

  async function speak(socket: ConduitSocket): Promise<void> {
    socket.on('error', () => undefined)
    socket.resume()
    socket.end('hello')
    await once(socket, 'close')
  }

  async function nothingIsHeld(): Promise<void> {
    await eventually(async () => {
      try {
        world.hypervisor.assertClean()
        return (await world.leftovers()).every((node) => !node.includes('/listen/') && !node.includes('/data/vchan/'))
      } catch {
        return false
      }
    })
  }

  it('at each step of its connect is missed by the server, which serves the next', async () => {
    const server = survivor.createServer()
    const fates: Promise<string>[] = []
    server.on('connection', (socket: ConduitSocket) => fates.push(fateOf(socket)))
    await server.listen('mortal')
    const live = async (last: number): Promise<Mortal & { readonly fate: string }> => {
      fates.length = 0
      const client = await mortal(last)
      const spoken = client.conduit?.connect('mortal').then(speak)
      await Promise.race([spoken?.then(() => client.conduit?.close()), client.dead])
      await turns(100)
      const fate = fates.length === 0 ? 'never came' : await outcome(fates[0]!)
      client.bury()
      await nothingIsHeld()
      return Object.assign(client, { fate })
    }
    const { steps, fate } = await live(0)
    expect(fate).to.equal('end')
    expect(steps).to.be.greaterThan(20)
    const seen = new Set<string>()
    for (let step = 1; step <= steps; step++) {
      const { fate: how } = await live(step)
      expect(how, `step ${step}`).to.be.oneOf(['never came', 'ECONNRESET', 'EPIPE', 'end'])
      seen.add(how)
    }
    expect([...seen])
      .to.include('never came')
      .and.have.length.above(1)
    await server.close()
  })
})
