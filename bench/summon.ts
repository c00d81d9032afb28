// `npm run bench:summon`: boots the testbed, once with each xenstored, and measures how long a guest takes to come, by each way of
// summoning it. Prints the tables and keeps them with the plot. An emulated machine: only ratios within one run say something.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { PackedFile } from '../testbed/archive-entries.js'
import { Machine } from '../testbed/machine.js'
import { PROJECT_IN_MACHINE, PROJECT_ROOT } from '../testbed/project.js'
import { machine } from './machine.js'
import { type Sample, STORES, type Store } from './summon-cases.js'
import { summonPlot, summonTables } from './summon-report.js'

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))

/** bench/guest's clock, compiled; the HTTP server is in the machine. */
function images(): PackedFile[] {
  const out = mkdtempSync(join(tmpdir(), 'bench-summon-'))
  process.on('exit', () => rmSync(out, { recursive: true, force: true }))
  const args = ['unikernel/build.mjs', '--out', out, 'bench/guest/clock.c']
  const built = spawnSync(process.execPath, args, { cwd: PROJECT_ROOT, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(built.stderr)
  return readdirSync(out).map((name) => ({ path: join('root', name), source: join(out, name) }))
}

/** Every summon is measured with C xenstored; with oxenstored only the crowds, as in the paper. */
async function measure(xenstored: Store, args: readonly string[]): Promise<Sample[]> {
  const xen = await Machine.boot({ xenstored, files: images() })
  try {
    const command = `node ${PROJECT_IN_MACHINE}/dist/bench/summon-inside.js --store ${xenstored} ${args.join(' ')}`
    const measuring = xen.dom0.spawn(command)
    measuring.onOutput((bytes, stream) => process.stderr.write(stream === 'stderr' ? bytes : '.'))
    const { status, output, errors } = await measuring.wait()
    if (status !== 0) throw new Error(`measuring ended with ${status}: ${errors}`)
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Sample)
  } finally {
    await xen.stop()
  }
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    crowds: { type: 'string', default: '50,200' },
    only: { type: 'string', default: '' },
    out: { type: 'string' },
  },
})
const samples: Sample[] = []
for (const store of STORES) {
  const args = ['--runs', values.runs, '--crowds', `'${values.crowds}'`, '--only', `'${values.only}'`]
  samples.push(...(await measure(store, args)))
}
const results = { machine: machine(), samples }
const tables = summonTables(results)
process.stdout.write(`\n${tables}`)
const out = values.out ?? RESULTS
mkdirSync(out, { recursive: true })
writeFileSync(join(out, 'summon.json'), `${JSON.stringify(results, undefined, 1)}\n`)
writeFileSync(join(out, 'summon.md'), tables)
writeFileSync(join(out, 'summon.svg'), summonPlot(results))
