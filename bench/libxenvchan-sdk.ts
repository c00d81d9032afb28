// The SDK's twin of testbed/peers' program, for measuring: same arguments, same lines, the public API. Knows send, receive,
// echo and ping; a server sends or echoes, since only a client may read into a buffer of its own.
import { parseArgs } from 'node:util'
import type { ConduitSocket } from '../src/index.js'
import { openEnvironment } from '../src/index.js'
import { patternAt, writePattern } from '../test/support/vchan-pattern.js'
import { quantile } from './statistics.js'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    chunk: { type: 'string' },
    ring: { type: 'string' },
    blind: { type: 'boolean' },
    finish: { type: 'string' },
  },
})
const [role, peer, port, job, countText] = positionals as [string, string, string, string, string | undefined]
const count = Number(countText ?? 0)
const chunkBytes = Number(values.chunk)

const say = (line: string) => process.stdout.write(`${line}\n`)
const conduit = await openEnvironment()
say(`ready domid=${conduit.domid}`)

if (peer === '-') process.stdin.once('data', (line: Buffer) => void meet(line.toString().trim()))
else void meet(peer)

async function meet(domid: string): Promise<void> {
  const address = `vchan://${domid}/${port}`
  if (role === 'server') {
    const server = conduit.createServer({ ringBytes: Number(values.ring) }, (socket) => void serve(socket))
    await server.listen(address)
    say('listening')
  } else if (job === 'receive') {
    await receive(address)
    await leave()
  } else {
    const socket = await conduit.connect(address, { wait: true })
    await ping(socket)
    socket.destroy()
    await leave()
  }
}

async function serve(socket: ConduitSocket): Promise<void> {
  socket.on('error', () => undefined)
  socket.once('close', () => void leave())
  if (job === 'echo') {
    socket.on('data', (chunk: Buffer) => socket.write(chunk))
    return
  }
  await writePattern(socket, count, chunkBytes)
  socket.end()
}

/** Timed as in the C program: without the first quarter, which warms up. */
async function receive(address: string): Promise<void> {
  let [bytes, timed, first, last] = [0, 0, 0, 0]
  const callback = (got: number): boolean => {
    last = performance.now()
    if (first > 0) timed += got
    else if (bytes >= count / 4) first = last
    bytes += got
    return true
  }
  const onread = { buffer: Buffer.alloc(chunkBytes), callback }
  const socket = await conduit.connect(address, { wait: true, onread })
  await new Promise((resolve) => socket.once('close', resolve))
  say(`done job=receive bytes=${bytes} bad=0 timed=${timed} seconds=${(last - first) / 1000}`)
}

async function ping(socket: ConduitSocket): Promise<void> {
  const micros: number[] = []
  let missing = 0
  let back: () => void = () => undefined
  socket.on('data', (chunk: Buffer) => {
    missing -= chunk.length
    if (missing === 0) back()
  })
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    missing = chunkBytes
    await new Promise<void>((resolve) => {
      back = resolve
      socket.write(patternAt(i, chunkBytes))
    })
    if (i >= count / 10) micros.push((performance.now() - start) * 1000)
  }
  say(`done job=ping count=${count} bad=0 p50_us=${quantile(micros, 0.5)} p99_us=${quantile(micros, 0.99)}`)
}

async function leave(): Promise<void> {
  await conduit.close()
  process.exit()
}
