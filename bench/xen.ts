// `npm run bench:xen`: boots the testbed and measures libxenvchan and the SDK between dom0 and a PV guest, each with itself and
// with the other, in one boot. Prints the tables and keeps them. An emulated machine: only ratios within one run say something.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Machine } from '../testbed/machine.js'
import { PROJECT_IN_MACHINE } from '../testbed/project.js'
import { machine } from './machine.js'
import { summarize } from './statistics.js'
import { XEN_CASES, type XenSample } from './xen-cases.js'
import { xenTables } from './xen-report.js'

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))

async function samples(runs: string): Promise<number[][]> {
  const found: number[][] = XEN_CASES.map(() => [])
  const xen = await Machine.boot()
  try {
    const measuring = xen.dom0.spawn(`node ${PROJECT_IN_MACHINE}/dist/bench/xen-inside.js --runs ${runs}`)
    measuring.onOutput((bytes, stream) => process.stderr.write(stream === 'stderr' ? bytes : '.'))
    const { status, output, errors } = await measuring.wait()
    if (status !== 0) throw new Error(`measuring ended with ${status}: ${errors}`)
    for (const line of output.trim().split('\n')) {
      const { at, value } = JSON.parse(line) as XenSample
      found[at]!.push(value)
    }
    return found
  } finally {
    await xen.stop()
  }
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' }, out: { type: 'string' } } })
const found = await samples(values.runs)
const rows = XEN_CASES.map((each, at) => ({ ...each, ...summarize(found[at]!), samples: found[at]! }))
const results = { machine: machine(), rows }
const tables = xenTables(results)
process.stdout.write(tables)
const out = values.out ?? RESULTS
mkdirSync(out, { recursive: true })
writeFileSync(join(out, 'xen.json'), `${JSON.stringify(results, undefined, 1)}\n`)
writeFileSync(join(out, 'xen.md'), tables)
