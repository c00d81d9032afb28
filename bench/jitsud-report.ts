// What came of bench/jitsud.ts as people read it. Pure.
import type { Herd, Starts } from './jitsud-subjects.js'
import type { Machine } from './machine.js'
import { bytes, duration } from './quantity.js'
import { median, quantile } from './statistics.js'
import { markdownTable } from './table.js'

export interface JitsudResults {
  readonly machine: Machine
  /** Of five minutes, at the end. */
  readonly loadAverage: number
  readonly runs: number
  readonly starts: readonly Starts[]
  readonly herds: readonly Herd[]
  readonly memoryBytes: number
}

const MICROS_PER_MILLI = 1000

export function jitsudTable({ machine, loadAverage, runs, starts, herds, memoryBytes }: JitsudResults): string {
  const worst = herds.reduce((a, b) => (a.lastMs > b.lastMs ? a : b))
  const rows = [
    ...starts.flatMap(startRows),
    [
      `${worst.questions} questions at once for a stopped service: launches`,
      String(Math.max(...herds.map(({ launches }) => launches))),
      '1',
    ],
    ['the same: answered', `${Math.min(...herds.map(({ answered }) => answered))}`, String(worst.questions)],
    ['the same: the first answer, the last answer', `${millis(worst.firstMs)}, ${millis(worst.lastMs)}`, ''],
    ['memory with 1,000 idle services, an address held for each', bytes(memoryBytes), '< 120 MiB'],
  ]
  const table = markdownTable(
    ['', 'measured', 'aim'].map((title, i) => ({ title, numeric: i > 0 })),
    rows,
  )
  const where = `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel} (${machine.architecture}), Node ${machine.node}, ${machine.date.slice(0, 10)}; load average ${loadAverage.toFixed(1)}.`
  return `Medians of ${runs} starts each; a summon and a bare start of the same Node program in turn.\n${where}\n\n${table}\n`
}

function startRows({ ready, bareMs, summonMs }: Starts): string[][] {
  const [bare, summon] = [median(bareMs), median(summonMs)]
  const what = ready === 'conduit' ? 'its conduit name' : 'its TCP port'
  return [
    [`spawn until it listens, at ${what}`, millis(bare), ''],
    ['question until the answer, for the same', `${millis(summon)} (p90 ${millis(quantile(summonMs, 0.9))})`, ''],
    ['what the summon adds', millis(summon - bare), '≤ 5 ms'],
  ]
}

const millis = (value: number): string => duration(value * MICROS_PER_MILLI)
