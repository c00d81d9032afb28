// The bench's command line.
import { parseArgs } from 'node:util'
import type { WorkloadName } from './job.js'

export interface BenchArguments {
  readonly runs: number
  readonly only: readonly WorkloadName[]
  /** Short measurements: to see that the bench works, not to quote. */
  readonly quick: boolean
  /** Where the results go; undefined: printed only. */
  readonly out: string | undefined
}

export const WORKLOADS: readonly WorkloadName[] = ['bulk', 'round-trip', 'messages', 'connect', 'memory']
export const USAGE = `usage: npm run bench -- [--runs N] [--only CASE,…] [--quick] [--out DIRECTORY]
cases: ${WORKLOADS.join(', ')}
Without --only and --quick the results replace those in bench/results.`

const RUNS = 7
const QUICK_RUNS = 1

/** @throws TypeError for what cannot be understood: print it with {@link USAGE}. */
export function parseArguments(argv: readonly string[], resultsDirectory: string): BenchArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      runs: { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  })
  const whole = values.only === undefined && !values.quick
  return {
    runs: values.runs === undefined ? (values.quick ? QUICK_RUNS : RUNS) : count(values.runs),
    only: values.only === undefined ? WORKLOADS : values.only.split(',').map(workload),
    quick: values.quick,
    out: values.out ?? (whole ? resultsDirectory : undefined),
  }
}

function count(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new TypeError(`--runs is a number from 1 to 9999, not '${text}'`)
  return Number(text)
}

function workload(text: string): WorkloadName {
  const found = WORKLOADS.find((name) => name === text)
  if (found === undefined) throw new TypeError(`no case '${text}'`)
  return found
}
