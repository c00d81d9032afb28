// kill -9 of either end at every step of connect, transfer and close: the other end gets every byte that was
// written, and then a reset, never a clean end; and nothing is left of the dead.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { Conduit } from '../../src/conduit/conduit.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { type LocalWorld, localWorld, until } from '../support/local-world.js'
import type { Testament } from './children/dying-process.js'

const SCRIPT = fileURLToPath(new URL('./children/dying-process.js', import.meta.url))
/** Three times round the ring. */
const PAYLOAD_BYTES = 3 * 65_536 + 1000

interface Dying {
  readonly testament: Promise<Testament>
  readonly listening: Promise<void>
}

function dying(world: LocalWorld, role: string, dieAt: number): Dying {
  const args = [SCRIPT, world.directory, role, 'mortal', String(dieAt), String(PAYLOAD_BYTES)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  const listening = new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
      if (stderr.startsWith('listening\n')) resolve()
    })
    child.once('exit', () => resolve())
  })
  const testament = once(child, 'close').then(() => {
    expect(stderr.replace('listening\n', '')).to.equal('')
    return JSON.parse(stdout) as Testament
  })
  return { testament, listening }
}

interface Fate {
  readonly bytes: number
  readonly intact: boolean
  readonly end: string
}

/** What comes out of a socket, to its end: `end`, or the code of its error. */
function fateOf(socket: ConduitSocket): Promise<Fate> {
  let bytes = 0
  let intact = true
  let end = 'close'
  socket.on('data', (chunk: Buffer) => {
    for (const byte of chunk) intact &&= byte === bytes++ % 251
  })
  socket.on('end', () => {
    end = 'end'
  })
  socket.on('error', (error: Error & { code?: string }) => {
    end = error.code ?? error.message
  })
  socket.end()
  return new Promise((resolve) => socket.once('close', () => resolve({ bytes, intact, end })))
}

const openFiles = (): number => readdirSync('/proc/self/fd').length
const mappedRings = (): number => readFileSync('/proc/self/maps', 'utf8').split('/memfd:conduit').length - 1

/** Every `stride`-th step, beginning at another one for each role. */
export function killAtEachStep(stride: number): void {
  let world: LocalWorld
  let conduit: Conduit
  /** Domain 0's view of the store. */
  let store: XenstoreClient

  beforeEach(async () => {
    world = localWorld()
    conduit = await Conduit.open({ substrate: await world.attach(), lingerMs: 0 })
    store = await XenstoreClient.open(unixSocketTransport(join(world.directory, 'socket')))
  })
  afterEach(async () => {
    await store.close()
    await conduit.close()
    await world.close()
  })

  async function nothingIsLeft(domid: number): Promise<void> {
    await until(() => mappedRings() === 0)
    await until(async () => !(await store.exists(`/local/domain/${domid}`)))
    await until(async () => !(await store.exists(`/local/domain/${conduit.domid}/data/vchan/${domid}`)))
    await until(async () => (await conduit.names()).every((name) => name.domid !== domid))
    await until(async () => (await conduit.flows()).every(({ client, server }) => client !== domid && server !== domid))
  }

  function check(fate: Fate, testament: Testament, step: number): void {
    const what = `step ${step}: ${JSON.stringify(fate)} after ${JSON.stringify(testament)}`
    expect(fate.intact, what).to.equal(true)
    expect(fate.bytes, what).to.equal(testament.written)
    if (fate.bytes < PAYLOAD_BYTES) expect(fate.end, what).to.equal('ECONNRESET')
    else expect(fate.end, what).to.be.oneOf(testament.ended ? ['end', 'ECONNRESET', 'EPIPE'] : ['ECONNRESET', 'end'])
  }

  it('of the client', async () => {
    const server = conduit.createServer({ allowHalfOpen: true })
    await server.listen('mortal')
    let fate: Promise<Fate> | undefined
    server.on('connection', (socket: ConduitSocket) => {
      fate = fateOf(socket)
    })
    const { steps } = await dying(world, 'client', 0).testament
    expect(steps).to.be.greaterThan(20)
    await fate
    const files = openFiles()
    for (let step = 1; step <= steps; step += stride) {
      fate = undefined
      const testament = await dying(world, 'client', step).testament
      // Fewer steps this time, since two processes never interleave twice alike: it lived.
      if (testament.written > 0) await until(() => fate !== undefined)
      if (fate !== undefined) check(await fate, testament, step)
      await nothingIsLeft(testament.domid)
      await until(() => openFiles() <= files)
    }
    await server.close()
  })

  it('of the server', async () => {
    const rehearsal = dying(world, 'server', 0)
    await rehearsal.listening
    await fateOf(await conduit.connect('mortal'))
    const { steps } = await rehearsal.testament
    expect(steps).to.be.greaterThan(20)
    const files = openFiles()
    for (let step = 2; step <= steps; step += stride) {
      const server = dying(world, 'server', step)
      await server.listening
      const socket = await conduit.connect('mortal').catch((error: Error & { code?: string }) => error)
      if (socket instanceof Error) {
        const { domid } = await server.testament
        expect((socket as Error & { code?: string }).code).to.be.oneOf(['ENOENT', 'ECONNRESET', 'ECONNREFUSED'])
        await nothingIsLeft(domid)
      } else {
        const fate = await fateOf(socket)
        const testament = await server.testament
        check(fate, testament, step)
        await nothingIsLeft(testament.domid)
      }
      await until(() => openFiles() <= files)
    }
  })
}
