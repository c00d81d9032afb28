// `npm run bench:libxenvchan`: Debian's libxenvchan and the SDK on the same substrate in the same run, each with itself and
// with the other. The server writes or echoes, the client reads or asks. Prints the tables and keeps them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type LocalLibxenvchan, localLibxenvchan } from '../testbed/local-preload.js'
import { VchanPeerProcess } from '../testbed/vchan-peer-process.js'
import { libxenvchanTables } from './libxenvchan-report.js'
import { machine } from './machine.js'
import { summarize } from './statistics.js'

export type Side = 'C' | 'SDK'

/** One row: who serves, who is the client, and what they do. */
export interface InteropCase {
  readonly kind: 'throughput' | 'round-trip'
  readonly server: Side
  readonly client: Side
  readonly chunkBytes: number
  readonly ringBytes: number
}

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))
const SDK = fileURLToPath(new URL('./libxenvchan-sdk.js', import.meta.url))
const PAIRS: readonly (readonly [Side, Side])[] = [
  ['C', 'C'],
  ['SDK', 'C'],
  ['C', 'SDK'],
  ['SDK', 'SDK'],
]
const THROUGHPUT_BYTES = 2 ** 31
const ROUND_TRIPS = 20_000

const cases: readonly InteropCase[] = [
  ...[65_536, 1 << 20].flatMap((ringBytes) =>
    [16_384, 65_536].flatMap((chunkBytes) =>
      PAIRS.map(([server, client]) => ({ kind: 'throughput' as const, server, client, chunkBytes, ringBytes })),
    ),
  ),
  ...[1, 64].flatMap((chunkBytes) =>
    PAIRS.map(([server, client]) => ({ kind: 'round-trip' as const, server, client, chunkBytes, ringBytes: 65_536 })),
  ),
]

async function measure(library: LocalLibxenvchan, each: InteropCase): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'conduit-bench-'))
  const bulk = each.kind === 'throughput'
  const count = String(bulk ? THROUGHPUT_BYTES : ROUND_TRIPS)
  const chunk = ['--chunk', String(each.chunkBytes)]
  const server = start(library, directory, each.server, [
    ...['server', '-', 'bench', ...(bulk ? ['send', count] : ['echo'])],
    ...['--ring', String(each.ringBytes), '--finish', 'drain', ...chunk],
  ])
  const client = start(library, directory, each.client, [
    ...['client', '-', 'bench', bulk ? 'receive' : 'ping', count, '--blind', ...chunk],
  ])
  try {
    server.meet(await client.domid())
    client.meet(await server.domid())
    const done = await client.line('done')
    if (bulk && Number(done.bytes) !== THROUGHPUT_BYTES) throw new Error(`${done.bytes} bytes came`)
    return bulk ? Number(done.timed) / Number(done.seconds) : Number(done.p50_us)
  } finally {
    await Promise.all([server.kill(), client.kill()])
    rmSync(directory, { recursive: true, force: true })
  }
}

function start(library: LocalLibxenvchan, directory: string, side: Side, args: readonly string[]): VchanPeerProcess {
  if (side === 'C') return new VchanPeerProcess(library.peer.path, args, library.environment(directory))
  return new VchanPeerProcess(process.execPath, [SDK, ...args], { ...process.env, CONDUIT_RUNTIME_DIR: directory })
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' }, out: { type: 'string' } } })
  const library = localLibxenvchan()
  if (typeof library === 'string') throw new Error(library)
  const samples = new Map<InteropCase, number[]>(cases.map((each) => [each, []]))
  const runs = Number(values.runs)
  for (let run = 1; run <= runs; run++) {
    console.error(`run ${run} of ${runs}`)
    // In the opposite order every other time: neither the machine's mood nor what ran before favours one.
    for (const each of run % 2 === 1 ? cases : [...cases].reverse())
      samples.get(each)!.push(await measure(library, each))
  }
  const rows = cases.map((each) => ({ ...each, ...summarize(samples.get(each)!), samples: samples.get(each)! }))
  const results = { machine: machine(), loadAverage: loadavg()[1]!, rows }
  process.stdout.write(libxenvchanTables(results))
  const out = values.out ?? RESULTS
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'libxenvchan.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(join(out, 'libxenvchan.md'), libxenvchanTables(results))
}

await main()
