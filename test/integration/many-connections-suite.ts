// Connections in numbers, between real processes: one after the other, at once, from many processes, and each closed
// straight after its last byte. Nothing is lost, and nothing is left.
import { expect } from 'chai'
import { listFlows } from '../../src/conduit/flows.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { allAtMost } from '../support/all-at-most.js'
import { echoLine, echoOnce } from '../support/echo-line.js'
import { until } from '../support/local-world.js'
import { holdingsOf, residentBytes } from '../support/peer-processes.js'
import { messageFault } from '../support/self-describing.js'
import { type WithstandWorld, withstandWorld } from '../support/withstand-world.js'

export interface ConnectionCounts {
  /** Connections one after the other. */
  readonly sequential: number
  /** Open at once in one process. */
  readonly open: number
  /** Processes that connect at the same moment. */
  readonly processes: number
  /** Senders that close straight after their last byte, in each direction. */
  readonly closes: number
  /** Whether there are enough connections to tell growth of resident memory from noise. */
  readonly measureMemory: boolean
}

const IN_FLIGHT = 32
const BATCHES = 20
/** 2 KiB for each of the 5,000 connections between the two halves that are compared. */
const MEMORY_SLACK_BYTES = 10 * 1024 * 1024

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

export function manyConnections(counts: ConnectionCounts): void {
  let world: WithstandWorld
  beforeEach(async () => {
    world = await withstandWorld()
  })
  afterEach(() => world.close())

  it(`${counts.sequential} connections one after the other leave nothing behind`, async () => {
    const [server, client] = await Promise.all([world.peer(), world.peer()])
    await server.tell({ do: 'echo', name: 'echo' })
    // What the first connection makes for good, such as the link between the two processes, is no leak.
    await client.tell({ do: 'sequence', name: 'echo', count: 1 })
    await world.storeIsEmpty('echo')
    const pids = [client.pid, server.pid, ...world.hypervisors()]
    expect(pids).to.have.length(3)
    const settled = world.holdingsSettle(pids)
    const resident: number[][] = pids.map(() => [])
    for (let batch = 0; batch < BATCHES; batch++) {
      await client.tell({ do: 'sequence', name: 'echo', count: counts.sequential / BATCHES })
      await server.tell({ do: 'collect' })
      for (const [index, pid] of pids.entries()) resident[index]!.push(residentBytes(pid))
    }
    await world.storeIsEmpty('echo')
    await settled()
    if (!counts.measureMemory) return
    for (const samples of resident) {
      const quarter = BATCHES / 4
      const growth = median(samples.slice(-quarter)) - median(samples.slice(quarter, 2 * quarter))
      expect(growth, samples.join(' ')).to.be.lessThan(MEMORY_SLACK_BYTES)
    }
  })

  it(`${counts.open} connections are open at once in one process, and every one works`, async () => {
    const server = await world.peer()
    await server.tell({ do: 'echo', name: 'echo' })
    await echoLine(await world.conduit.connect('echo'), 'first')
    await world.storeIsEmpty('echo')
    const settled = world.holdingsSettle([process.pid, server.pid, ...world.hypervisors()])
    const sockets: ConduitSocket[] = []
    await allAtMost(IN_FLIGHT, counts.open, async () => sockets.push(await world.conduit.connect('echo')))
    const echoed = await Promise.all(sockets.map((socket, index) => echoOnce(socket, Buffer.of(index & 0xff))))
    for (const [index, bytes] of echoed.entries()) expect(bytes).to.deep.equal(Buffer.of(index & 0xff))
    // Not all of them: the table's node holds no more than 155 names under C xenstored's rules.
    await until(async () => (await listFlows(world.store)).length > 100)
    for (const pid of [process.pid, server.pid]) expect(holdingsOf(pid).rings).to.be.at.least(counts.open)
    await Promise.all(sockets.map((socket) => echoLine(socket, '')))
    await world.storeIsEmpty('echo')
    await settled()
  })

  it(`${counts.processes} processes that connect to one name at the same moment all succeed`, async () => {
    const server = await world.peer()
    await server.tell({ do: 'echo', name: 'echo' })
    const clients = await world.started(counts.processes)
    const settled = world.holdingsSettle([server.pid, ...world.hypervisors()])
    const lines = await Promise.all(
      clients.map(async (client) => {
        // Both at once: nobody waits for the others between attaching and connecting.
        const attached = client.tell({ do: 'open', directory: world.directory })
        const line = `from ${await attached}\n`
        return [await client.tell({ do: 'line', name: 'echo', line }), line]
      }),
    )
    expect(new Set(lines.map(([, line]) => line)).size).to.equal(counts.processes)
    for (const [echoed, line] of lines) expect(echoed).to.equal(line)
    const exits = clients.map(
      (client) => new Promise((resolve) => client.child.once('exit', (code, signal) => resolve(code ?? signal))),
    )
    await Promise.all(clients.map((client) => client.tell({ do: 'leave' })))
    expect(new Set(await Promise.all(exits))).to.deep.equal(new Set([0]))
    await world.storeIsEmpty('echo')
    await settled()
  })

  /** All of one message and a clean end, or why not. */
  async function faultOf(socket: ConduitSocket): Promise<string | undefined> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of socket) chunks.push(chunk as Buffer)
    } catch (error) {
      return `${(error as { code?: string }).code} after ${Buffer.concat(chunks).length} bytes`
    }
    return messageFault(Buffer.concat(chunks))
  }

  it(`${counts.closes} clients that close straight after their last byte deliver all of it and a clean end`, async () => {
    const faults: string[] = []
    let received = 0
    const server = world.conduit.createServer((socket: ConduitSocket) => {
      void faultOf(socket).then((fault) => {
        received++
        if (fault !== undefined) faults.push(fault)
      })
    })
    await server.listen('sink')
    const sender = await world.peer()
    // As above: what the first connection makes for good is no leak.
    await sender.tell({ do: 'send and close', name: 'sink', count: 1, inFlight: 1 })
    await world.storeIsEmpty('sink')
    const settled = world.holdingsSettle([process.pid, sender.pid, ...world.hypervisors()])
    await sender.tell({ do: 'send and close', name: 'sink', count: counts.closes, inFlight: IN_FLIGHT })
    await server.close()
    expect(faults).to.deep.equal([])
    expect(received).to.equal(counts.closes + 1)
    await world.storeIsEmpty('sink')
    await settled()
  })

  it(`${counts.closes} servers that close straight after their last byte deliver all of it and a clean end`, async () => {
    const sender = await world.peer()
    await sender.tell({ do: 'serve and close', name: 'source' })
    const fetch = async () => faultOf(await world.conduit.connect('source', { ringBytes: 4096 }))
    const faults = [await fetch()]
    await world.storeIsEmpty('source')
    const settled = world.holdingsSettle([process.pid, sender.pid, ...world.hypervisors()])
    await allAtMost(IN_FLIGHT, counts.closes, async () => faults.push(await fetch()))
    expect(faults.filter((fault) => fault !== undefined)).to.deep.equal([])
    expect(faults).to.have.length(counts.closes + 1)
    await world.storeIsEmpty('source')
    await settled()
  })
}
