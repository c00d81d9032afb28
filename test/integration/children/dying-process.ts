// One end of a connection that kills itself with SIGKILL at a chosen step: each call into the substrate, each kick,
// each message to or from the store is one. Says on stdout what it had done by then.
import { writeSync } from 'node:fs'
import { Conduit } from '../../../src/conduit/conduit.js'
import { LocalSubstrate } from '../../../src/substrate/local/local-substrate.js'
import type { EventChannel, Pages } from '../../../src/substrate/substrate.js'
import type { ConduitSocket } from '../../../src/vchan/socket.js'
import type { XenstoreTransport } from '../../../src/xenstore/transport.js'
import { HYPERVISOR_ENTRY } from '../../support/local-world.js'

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

/** Make each call of `method` two steps: before it, and after it. */
function stepAround<Name extends string>(target: Record<Name, (...args: never[]) => unknown>, method: Name): void {
  const original = target[method].bind(target) as (...args: never[]) => unknown
  target[method] = (...args: never[]): unknown => {
    step()
    const result = original(...args)
    if (result instanceof Promise) {
      return result.then((value) => {
        step()
        return value
      })
    }
    step()
    return result
  }
}

type Methods<Name extends string> = Record<Name, (...args: never[]) => unknown>

function watchPages<P extends Pages>(pages: P): P {
  stepAround(pages as unknown as Methods<'close'>, 'close')
  return pages
}

function watchChannel(channel: EventChannel): EventChannel {
  stepAround(channel as unknown as Methods<'notify'>, 'notify')
  stepAround(channel as unknown as Methods<'close'>, 'close')
  return channel
}

function watchTransport(transport: XenstoreTransport): XenstoreTransport {
  stepAround(transport as unknown as Methods<'send'>, 'send')
  return transport
}

function watchSubstrate(inner: LocalSubstrate): void {
  const around = <T>(method: string, watch: (result: T) => T): void => {
    const methods = inner as unknown as Record<string, (...args: unknown[]) => Promise<T>>
    const original = methods[method]!.bind(inner)
    methods[method] = async (...args) => {
      step()
      const result = watch(await original(...args))
      step()
      return result
    }
  }
  around<Pages>('share', watchPages)
  around<Pages>('map', watchPages)
  around('listen', watchChannel)
  around('bind', watchChannel)
  around('xenstore', watchTransport)
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
watchSubstrate(substrate)
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
