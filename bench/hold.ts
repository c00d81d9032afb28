// `npm run bench:hold`: what a held address costs. First the time to the first byte of an answer for a service that takes B ms to boot,
// beside B alone; then bytes a second after the hand-over in each mode, beside a direct connection. Peers in turn, in the opposite
// order every other time. Prints the table and keeps it with the raw numbers.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { holdSchema } from '../protocol/jitsud-hold-config.js'
import { type Conduit, openEnvironment } from '../src/index.js'
import { type ConnectToService, HeldAddress, handoverEnvironment, Takers } from '../src/jitsu/hold/index.js'
import type { ClientReport } from './hold-client.js'
import { BenchService } from './hold-service.js'
import { machine } from './machine.js'
import { type Summary, summarize } from './statistics.js'
import { markdownTable } from './table.js'

export type HoldMode = 'direct' | 'fd' | 'conduit' | 'tcp'

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))
const PROCESS = fileURLToPath(new URL('./hold-process.js', import.meta.url))
const CLIENT = fileURLToPath(new URL('./hold-client.js', import.meta.url))
const MODES: readonly HoldMode[] = ['direct', 'fd', 'conduit', 'tcp']
const BYTES = 2 ** 30

interface Sample {
  /** From the client's connect to the service's word that it is ready, in ms. */
  readonly bootMs: number
  /** From the same moment to the first byte of the answer, in ms. */
  readonly firstByteMs: number
  readonly bytesPerSecond: number
}

/** One boot, one client: it connects while nothing runs, asks, and reads to the end. Direct: the service runs already. */
async function measure(mode: HoldMode, directory: string, conduit: Conduit): Promise<Sample> {
  const service = new BenchService()
  const takers = Takers.listen(service, { directory: join(directory, 'hold') })
  const env = { ...process.env, ...handoverEnvironment(join(directory, 'hold'), service.name) }
  const start = () => spawn(process.execPath, [PROCESS, mode, String(BYTES)], { detached: true, env, stdio: STDIO })
  let child: ChildProcess | undefined
  service.launch = async () => {
    child = start()
    service.instance = { pid: child.pid, domid: undefined }
    const [message] = (await once(child, 'message')) as [{ address: string }]
    return message.address
  }
  const target = mode === 'direct' || mode === 'tcp' ? await freeAddress() : undefined
  env.BENCH_ADDRESS = target
  const handover = mode === 'direct' ? 'tcp' : mode
  const config = holdSchema.parse({ address: '127.0.0.1:0', handover, ...(target === undefined ? {} : { target }) })
  // As jitsud has it: open since it started.
  const connect: ConnectToService = (address, options) => conduit.connect(address, options)
  const held = mode === 'direct' ? undefined : await HeldAddress.listen(config, service, { takers, connect })
  try {
    if (held === undefined) await service.summon()
    return await ask(held?.address ?? target!, service)
  } finally {
    await held?.close({ relayed: 'reset' })
    takers.close()
    if (child !== undefined) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}

const STDIO: ('ignore' | 'inherit' | 'ipc')[] = ['ignore', 'ignore', 'inherit', 'ipc']

/** A client in a process of its own, which runs before the clock does. */
async function ask(address: string, service: BenchService): Promise<Sample> {
  const client = spawn(process.execPath, [CLIENT], { stdio: STDIO })
  await once(client, 'message')
  client.send({ address })
  const [{ askedAtMs, firstByteAtMs, endedAtMs, bytes }] = (await once(client, 'message')) as [ClientReport]
  if (bytes !== BYTES) throw new Error(`${bytes} bytes came`)
  return {
    bootMs: Math.max(0, (service.readyAtMs ?? 0) - askedAtMs),
    firstByteMs: firstByteAtMs - askedAtMs,
    bytesPerSecond: BYTES / ((endedAtMs - firstByteAtMs) / 1000),
  }
}

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return `127.0.0.1:${port}`
}

interface Row {
  readonly mode: HoldMode
  readonly bootMs: Summary
  /** Of each sample: first byte less boot. */
  readonly afterReadyMs: Summary
  readonly bytesPerSecond: Summary
  readonly samples: readonly Sample[]
}

function row(mode: HoldMode, samples: readonly Sample[]): Row {
  return {
    mode,
    bootMs: summarize(samples.map(({ bootMs }) => bootMs)),
    afterReadyMs: summarize(samples.map(({ firstByteMs, bootMs }) => firstByteMs - bootMs)),
    bytesPerSecond: summarize(samples.map(({ bytesPerSecond }) => bytesPerSecond)),
    samples,
  }
}

function table(rows: readonly Row[]): string {
  const columns = [
    { title: 'handover', numeric: false },
    { title: 'boot B, ms', numeric: true },
    { title: 'first byte, ms after B: median', numeric: true },
    { title: 'min…max', numeric: true },
    { title: 'then, GB/s: median', numeric: true },
    { title: 'min…max', numeric: true },
  ]
  const range = ({ min, max }: Summary, unit: number, digits: number) =>
    `${(min / unit).toFixed(digits)}…${(max / unit).toFixed(digits)}`
  const cells = rows.map(({ mode, bootMs, afterReadyMs, bytesPerSecond }) => [
    mode === 'direct' ? 'none: direct, already running' : mode,
    mode === 'direct' ? '' : bootMs.median.toFixed(0),
    afterReadyMs.median.toFixed(1),
    range(afterReadyMs, 1, 1),
    (bytesPerSecond.median / 1e9).toFixed(2),
    range(bytesPerSecond, 1e9, 2),
  ])
  return `${markdownTable(columns, cells)}\n`
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '7' }, out: { type: 'string' } } })
  const runs = Number(values.runs)
  const samples = new Map<HoldMode, Sample[]>(MODES.map((mode) => [mode, []]))
  const directory = mkdtempSync(join(tmpdir(), 'conduit-bench-'))
  process.env.CONDUIT_RUNTIME_DIR = directory
  const conduit = await openEnvironment()
  try {
    // The first of each warms what is loaded lazily, and does not count.
    for (let run = 0; run <= runs; run++) {
      console.error(run === 0 ? 'warm-up' : `run ${run} of ${runs}`)
      for (const mode of run % 2 === 1 ? MODES : [...MODES].reverse()) {
        const sample = await measure(mode, directory, conduit)
        if (run > 0) samples.get(mode)!.push(sample)
      }
    }
  } finally {
    await conduit.close()
    rmSync(directory, { recursive: true, force: true })
  }
  const rows = MODES.map((mode) => row(mode, samples.get(mode)!))
  process.stdout.write(table(rows))
  const out = values.out ?? RESULTS
  mkdirSync(out, { recursive: true })
  const results = { machine: machine(), loadAverage: loadavg()[1]!, bytes: BYTES, rows }
  writeFileSync(join(out, 'hold.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(join(out, 'hold.md'), table(rows))
}

await main()
