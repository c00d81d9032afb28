// What interrupts transfers without ending the process: a peer that is stopped, threads that end in the middle, the
// local hypervisor killed.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { isConduitError } from '../../src/errors.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { echoLine } from '../support/echo-line.js'
import { until } from '../support/local-world.js'
import { PatternedFlow } from '../support/patterned-flow.js'
import { type WithstandWorld, withstandWorld } from '../support/withstand-world.js'
import type { WorkerOrder } from './children/worker-client.js'

const MIB = 1024 * 1024
const WORKER = fileURLToPath(new URL('./children/worker-client.js', import.meta.url))
const WORKERS = 4

/** State letter of a process: T when it is stopped. */
const stateOf = (pid: number): string => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0]!

describe('interruptions', () => {
  let world: WithstandWorld
  beforeEach(async () => {
    world = await withstandWorld()
  })
  afterEach(() => world.close())

  it('a stopped peer stalls its own flow alone, and goes on with every byte when it is continued', async () => {
    const sockets = new Map<number, ConduitSocket>()
    const server = world.conduit.createServer({ allowHalfOpen: true }, (socket: ConduitSocket) => {
      sockets.set(socket.channel!.peer, socket)
      socket.pipe(socket)
    })
    await server.listen('echo')
    const peers = await Promise.all([world.peer(), world.peer(), world.peer()])
    await Promise.all(peers.map((peer) => peer.tell({ do: 'flow', name: 'echo' })))
    await until(() => sockets.size === 3 && [...sockets.values()].every(({ bytesRead }) => bytesRead > MIB))
    const domids = await Promise.all(peers.map((peer) => peer.tell({ do: 'domid' })))
    const [stopped, ...others] = domids.map((domid) => sockets.get(domid as number)!)
    const movesBy = (flows: ConduitSocket[], bytes: number): Promise<void> => {
      const goals = flows.map(({ bytesRead }) => bytesRead + bytes)
      return until(() => flows.every(({ bytesRead }, index) => bytesRead >= goals[index]!))
    }
    process.kill(peers[0].pid, 'SIGSTOP')
    await until(() => stateOf(peers[0].pid) === 'T')
    const atStop = stopped!.bytesRead
    await movesBy(others, 8 * MIB)
    // No more than what was in the ring when it stopped.
    expect(stopped!.bytesRead - atStop).to.be.at.most(256 * 1024)
    expect(stopped!.destroyed).to.equal(false)
    process.kill(peers[0].pid, 'SIGCONT')
    await movesBy([stopped!, ...others], 2 * MIB)
    const results = await Promise.all(peers.map((peer) => peer.tell({ do: 'finish flow' })))
    for (const result of results as { sent: number; received: number; intact: boolean }[]) {
      expect(result).to.deep.equal({ sent: result.sent, received: result.sent, intact: true })
    }
  })

  describe('in worker threads', () => {
    let settled: () => Promise<void>
    const ends: string[] = []

    beforeEach(async () => {
      ends.length = 0
      const server = world.conduit.createServer({ allowHalfOpen: true }, (socket: ConduitSocket) => {
        let end = 'close'
        socket.on('end', () => {
          end = 'end'
        })
        socket.on('error', (error: Error & { code?: string }) => {
          end = error.code ?? error.message
        })
        socket.once('close', () => ends.push(end))
        socket.pipe(socket)
      })
      await server.listen('echo')
      const first = start('echo')
      await once(first, 'exit')
      await world.storeIsEmpty('echo')
      settled = world.holdingsSettle([process.pid, ...world.hypervisors()])
      ends.length = 0
    })

    const start = (how: WorkerOrder['how']): Worker =>
      new Worker(WORKER, { workerData: { directory: world.directory, name: 'echo', how } satisfies WorkerOrder })

    const startAll = (how: WorkerOrder['how']): Worker[] => Array.from({ length: WORKERS }, () => start(how))

    async function nothingIsLeft(end: string): Promise<void> {
      await until(() => ends.length === WORKERS)
      expect(ends).to.deep.equal(Array.from({ length: WORKERS }, () => end))
      await world.storeIsEmpty('echo')
      await settled()
    }

    it('four of a process connect and echo at once', async () => {
      const answers = await Promise.all(
        startAll('echo').map(async (worker) => {
          const exited = once(worker, 'exit')
          const [line] = await once(worker, 'message')
          await exited
          return line as string
        }),
      )
      expect(new Set(answers).size).to.equal(WORKERS)
      for (const line of answers) expect(line).to.match(/^from \d+$/)
      await nothingIsLeft('end')
    })

    it('process.exit in the middle of a transfer resets the connection and leaves nothing', async () => {
      const codes = await Promise.all(startAll('exit').map((worker) => once(worker, 'exit')))
      expect(codes).to.deep.equal(Array.from({ length: WORKERS }, () => [0]))
      await nothingIsLeft('ECONNRESET')
    })

    it('terminate() in the middle of a transfer resets the connection and leaves nothing', async () => {
      const workers = startAll('flow')
      await Promise.all(workers.map((worker) => once(worker, 'message')))
      await Promise.all(workers.map((worker) => worker.terminate()))
      await nothingIsLeft('ECONNRESET')
    })
  })

  it('a killed hypervisor costs open connections nothing, and the name is found again', async () => {
    const server = await world.peer()
    await server.tell({ do: 'echo', name: 'echo' })
    const flows = await Promise.all(
      Array.from({ length: 4 }, async () => new PatternedFlow(await world.conduit.connect('echo'))),
    )
    await until(() => flows.every(({ received }) => received > MIB))
    const client = await world.peer()
    for (let death = 0; death < 3; death++) {
      const connects = Array.from({ length: 8 }, (_, index) =>
        world.conduit.connect('echo').then(
          (socket) => echoLine(socket, `line ${index}`),
          (error: unknown) => {
            expect(isConduitError(error), String(error)).to.equal(true)
            return `line ${index}`
          },
        ),
      )
      const [pid] = world.hypervisors()
      process.kill(pid!, 'SIGKILL')
      await until(() => !world.hypervisors().includes(pid!))
      // Those that had a channel when it died are echoed; the others know by a code that there is none.
      expect(await Promise.all(connects)).to.deep.equal(connects.map((_, index) => `line ${index}`))
      const goals = flows.map(({ received }) => received + MIB)
      await until(() => flows.every(({ received }, index) => received >= goals[index]!))
      // Registered again by nobody but the server itself.
      expect(await echoLine(await world.conduit.connect('echo', { wait: true }), 'again')).to.equal('again')
      expect(await client.tell({ do: 'wait for line', name: 'echo', line: 'too' })).to.equal('too')
    }
    for (const { sent, received, intact } of await Promise.all(flows.map((flow) => flow.finish()))) {
      expect({ received, intact }).to.deep.equal({ received: sent, intact: true })
    }
  })
})
