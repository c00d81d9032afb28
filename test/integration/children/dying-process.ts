// One end of a connection that kills itself with SIGKILL at a chosen step: each call into the substrate, each kick,
// each message to or from the store is one. Says on stdout what it had done by then.
import { writeSync } from 'node:fs'
import { Conduit } from '../../../src/conduit/conduit.js'
import { LocalSubstrate } from '../../../src/substrate/local/local-substrate.js'
import type { ConduitSocket } from '../../../src/vchan/socket.js'
import { HYPERVISOR_ENTRY } from '../../support/local-world.js'
import { stepThrough } from '../../support/step-through.js'

export interface Testament {
  /** Steps taken. */
  readonly steps: number
  /** Bytes in the ring or read from it by the peer. */
  readonly written: number
  /** Whether it had ended its direction. */
  readonly ended: boolean
  readonly domid: number
}

const [directory, role, name, dieAt, payloadBytes] = process.argv.slice(2) as [string, string, string, string, string]
const deadline = Number(dieAt)
let steps = 0
let ended = false
let substrate: LocalSubstrate
let socket: ConduitSocket | undefined

/** What the page says, not a counter: a step inside write() comes before the counter moves. */
function publishedBytes(): number {
  try {
    const page = socket?.channel?.inspect()
    return (role === 'client' ? page?.left.prod : page?.right.prod) ?? 0
  } catch {
    // Closed: nothing moves any more.
    return socket?.counters.bytesWritten ?? 0
  }
}

function leaveTestament(): void {
  const written = publishedBytes()
  writeSync(1, JSON.stringify({ steps, written, ended, domid: substrate.domid } satisfies Testament))
}

function step(): void {
  steps++
  if (steps !== deadline) return
  leaveTestament()
  process.kill(process.pid, 'SIGKILL')
  // Delivered before kill() returns; whatever came after would be a step too many.
  for (;;);
}

/** Byte i is i modulo 251: what arrives is told from what should have, wherever it breaks off. */
const payload = Buffer.from(Uint8Array.from({ length: Number(payloadBytes) }, (_, index) => index % 251))

async function talk(connected: ConduitSocket): Promise<void> {
  socket = connected
  socket.resume()
  socket.on('finish', () => {
    ended = true
  })
  socket.end(payload)
  await new Promise((resolve) => connected.once('close', resolve))
}

substrate = await LocalSubstrate.attach({ directory, entry: HYPERVISOR_ENTRY })
stepThrough(substrate, step)
const conduit = await Conduit.open({ substrate, ringBytes: 65_536, lingerMs: 0 })
if (role === 'client') {
  await talk(await conduit.connect(name))
} else {
  const server = conduit.createServer({ allowHalfOpen: true })
  const connection = new Promise<ConduitSocket>((resolve) => server.once('connection', resolve))
  await server.listen(name)
  process.stderr.write('listening\n')
  await talk(await connection)
  await server.close()
}
await conduit.close()
steps = deadline === 0 ? steps : -1
leaveTestament()
