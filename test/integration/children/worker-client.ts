// A worker thread that connects by name with an environment of its own, does what it is told and ends in the middle
// of it or in peace: `echo`, `exit` (process.exit while the ring is full), `flow` (until it is terminated).
import { parentPort, workerData } from 'node:worker_threads'
import { Conduit } from '../../../src/conduit/conduit.js'
import { LocalSubstrate } from '../../../src/substrate/local/local-substrate.js'
import { echoLine } from '../../support/echo-line.js'
import { HYPERVISOR_ENTRY } from '../../support/local-world.js'
import { PatternedFlow } from '../../support/patterned-flow.js'

export interface WorkerOrder {
  readonly directory: string
  readonly name: string
  readonly how: 'echo' | 'exit' | 'flow'
}

/** So much has come back that the flow is in full swing. */
const SWING_BYTES = 1024 * 1024

const { directory, name, how } = workerData as WorkerOrder
const substrate = await LocalSubstrate.attach({ directory, entry: HYPERVISOR_ENTRY })
const conduit = await Conduit.open({ substrate, lingerMs: 50 })
const socket = await conduit.connect(name)
if (how === 'echo') {
  parentPort!.postMessage(await echoLine(socket, `from ${conduit.domid}`))
  await conduit.close()
} else {
  const flow = new PatternedFlow(socket)
  socket.on('data', () => {
    if (flow.received < SWING_BYTES) return
    if (how === 'exit') process.exit(0)
    parentPort!.postMessage('flows')
  })
}
