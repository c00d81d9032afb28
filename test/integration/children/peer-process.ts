// A process of its own in Conduit, driven by messages, each answered by {id, done} or {id, failed}. Listens, connects
// and sends as told; stays until it is told to leave, disconnected or killed.
import { once } from 'node:events'
import { Conduit } from '../../../src/conduit/conduit.js'
import { LocalSubstrate } from '../../../src/substrate/local/local-substrate.js'
import type { ConduitSocket } from '../../../src/vchan/socket.js'
import { allAtMost } from '../../support/all-at-most.js'
import { echoLine } from '../../support/echo-line.js'
import { HYPERVISOR_ENTRY } from '../../support/local-world.js'
import { type FlowResult, PatternedFlow } from '../../support/patterned-flow.js'
import { selfDescribing } from '../../support/self-describing.js'

export type PeerCommand =
  /** Does nothing: the answer says that the process runs. */
  | { do: 'start' }
  | { do: 'open'; directory: string }
  /** Listen, and give every byte back. */
  | { do: 'echo'; name: string }
  /** Connect and have one line echoed. */
  | { do: 'line'; name: string; line: string }
  /** The same as soon as somebody holds the name. */
  | { do: 'wait for line'; name: string; line: string }
  | { do: 'domid' }
  /** Connections one after the other, each with a line echoed; then collect garbage. */
  | { do: 'sequence'; name: string; count: number }
  | { do: 'collect' }
  /** Connect `count` times; each time send a message that describes itself, and close straight after its last byte. */
  | { do: 'send and close'; name: string; count: number; inFlight: number }
  /** Listen, and do the same to each client. */
  | { do: 'serve and close'; name: string }
  /** Connect to an echo and keep the ring full. */
  | { do: 'flow'; name: string }
  /** End the flow and say how it went. */
  | { do: 'finish flow' }
  /** Close everything and exit. */
  | { do: 'leave' }

/** How long anything takes is the machine's business, with two hundred of us on it: an hour stands for no limit. */
const NO_LIMIT = { timeoutMs: 3_600_000 }
/** The parent has gone without a word. */
const abandon = (): void => process.exit(1)

let conduit: Conduit
let flow: PatternedFlow
let runs = 0

/** The socket is gone in the very turn in which its last byte is in the ring. */
async function sendAndClose(socket: ConduitSocket): Promise<void> {
  const closed = once(socket, 'close')
  socket.end(selfDescribing(runs++), () => void socket.destroy())
  await closed
}

async function listen(name: string, onConnection: (socket: ConduitSocket) => void): Promise<void> {
  await conduit.createServer({ allowHalfOpen: true }, onConnection).listen(name)
}

async function carryOut(command: PeerCommand): Promise<unknown> {
  switch (command.do) {
    case 'start':
      return undefined
    case 'open': {
      const { directory } = command
      const substrate = await LocalSubstrate.attach({ directory, entry: HYPERVISOR_ENTRY, ...NO_LIMIT })
      conduit = await Conduit.open({ substrate, lingerMs: 50, handshakeTimeoutMs: NO_LIMIT.timeoutMs })
      return conduit.domid
    }
    case 'echo':
      return listen(command.name, (socket) => {
        // A client that breaks off takes its own connection with it, nothing else.
        socket.on('error', () => undefined)
        socket.pipe(socket)
      })
    case 'line':
      return echoLine(await conduit.connect(command.name, NO_LIMIT), command.line)
    case 'wait for line':
      return echoLine(await conduit.connect(command.name, { wait: true, ...NO_LIMIT }), command.line)
    case 'domid':
      return conduit.domid
    case 'sequence':
      for (let run = 0; run < command.count; run++) {
        await echoLine(await conduit.connect(command.name, NO_LIMIT), `line ${runs++}\n`)
      }
      return globalThis.gc?.()
    case 'collect':
      return globalThis.gc?.()
    case 'send and close':
      return allAtMost(command.inFlight, command.count, async () =>
        sendAndClose(await conduit.connect(command.name, { ringBytes: 4096, ...NO_LIMIT })),
      )
    case 'serve and close':
      return listen(command.name, (socket) => void sendAndClose(socket))
    case 'flow':
      flow = new PatternedFlow(await conduit.connect(command.name, NO_LIMIT))
      return undefined
    case 'finish flow':
      return (await flow.finish()) satisfies FlowResult
    case 'leave':
      process.off('disconnect', abandon)
      return conduit.close()
  }
}

process.on('disconnect', abandon)
process.on('message', async ({ id, command }: { id: number; command: PeerCommand }) => {
  const answer = await carryOut(command).then(
    (done) => ({ id, done }),
    (error: Error & { code?: string }) => ({ id, failed: error.code ?? error.message }),
  )
  process.send!(answer, () => {
    if (command.do === 'leave') process.disconnect()
  })
})
