// `npm run bench:jitsud`: what a summon costs beside the bare start of the same program in the same run, a thousand who ask
// at once, and jitsud's memory with a thousand services. Prints a table and keeps it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type JitsudResults, jitsudTable } from './jitsud-report.js'
import { herd, idleMemory, measureStarts } from './jitsud-subjects.js'
import { machine } from './machine.js'

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '40' }, out: { type: 'string' } } })
  const runs = Number(values.runs)
  const starts = []
  for (const ready of ['conduit', 'port'] as const) {
    console.error(`${runs} starts and as many summons, ready when ${ready}`)
    starts.push(await measureStarts(ready, runs))
  }
  console.error('a thousand who ask at once')
  const herds = [await herd(1000), await herd(1000), await herd(1000)]
  console.error('a thousand services')
  const memoryBytes = await idleMemory(1000)
  const results: JitsudResults = { machine: machine(), loadAverage: loadavg()[1]!, runs, starts, herds, memoryBytes }
  process.stdout.write(jitsudTable(results))
  const out = values.out ?? RESULTS
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'jitsud.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(join(out, 'jitsud.md'), jitsudTable(results))
}

await main()
