// What came of bench/summon.ts as people read it: tables, beside the paper's, and the plot. Pure.
import { type LogChart, logChart, type PointRow } from './log-chart.js'
import type { Machine } from './machine.js'
import { threeDigits } from './quantity.js'
import { median } from './statistics.js'
import {
  type CrowdSample,
  GUEST_TYPES,
  type GuestType,
  MEMORIES_MIB,
  MOMENT_TEXT,
  MOMENTS,
  type Moment,
  PAPER_CREATION,
  PAPER_CROWDS,
  type Sample,
  STORES,
  type SummonSample,
  WAY_TEXT,
  WAYS,
  type Way,
} from './summon-cases.js'
import { markdownTable } from './table.js'

export interface SummonResults {
  /** What emulates the Xen machine. */
  readonly machine: Machine
  readonly samples: readonly Sample[]
}

/** Times of one cell. */
class Samples {
  readonly #all: readonly SummonSample[]

  constructor(all: readonly Sample[]) {
    this.#all = all.filter((sample) => sample.kind === 'summon')
  }

  median(type: GuestType, way: Way, mib: number, moment: Moment): number | undefined {
    const times = this.#all
      .filter((sample) => sample.type === type && sample.way === way && sample.mib === mib)
      .flatMap(({ times }) => times[moment] ?? [])
    return times.length === 0 ? undefined : median(times)
  }

  /** What guests of one type took themselves. */
  bootMs(type: GuestType): number | undefined {
    const times = this.#all.filter((sample) => sample.type === type).flatMap(({ bootMs }) => bootMs ?? [])
    return times.length === 0 ? undefined : median(times)
  }

  has(type: GuestType): boolean {
    return this.#all.some((sample) => sample.type === type)
  }
}

const shown = (value: number | undefined): string => (value === undefined ? '' : threeDigits(value))

export function summonTables({ machine, samples }: SummonResults): string {
  const found = new Samples(samples)
  const types = GUEST_TYPES.filter((type) => found.has(type))
  const parts = [
    "Milliseconds since the summon, medians, one boot of the testbed: Xen in QEMU's software emulation. Compare within these tables only; the paper's figures are of real machines.",
    `Emulated on ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel} (${machine.architecture}), Node ${machine.node}, ${machine.date.slice(0, 10)}.`,
    ...types.flatMap((type) => [`## ${type.toUpperCase()}`, wayTable(found, type), guestLine(found, type)]),
    "## The paper's: creation of a domain, ms, by memory\n",
    paperTable(),
    ...crowdParts(samples),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function wayTable(found: Samples, type: GuestType): string {
  const titles = ['', 'MiB', ...MOMENTS.map((moment) => MOMENT_TEXT[moment]), '× faster than xl create']
  const rows = WAYS.flatMap((way) =>
    MEMORIES_MIB.flatMap((mib) => {
      const times = MOMENTS.map((moment) => found.median(type, way, mib, moment))
      if (times.every((time) => time === undefined)) return []
      const [echo, yardstick] = [way, 'xl' as const].map((each) => found.median(type, each, mib, 'echo'))
      const factor = echo === undefined || yardstick === undefined ? undefined : yardstick / echo
      return [[WAY_TEXT[way], String(mib), ...times.map(shown), shown(factor)]]
    }),
  )
  return markdownTable(
    titles.map((title, i) => ({ title, numeric: i > 0 })),
    rows,
  )
}

function guestLine(found: Samples, type: GuestType): string {
  const own = found.bootMs(type)
  if (own === undefined) return ''
  return `The guest's own code, from its first instruction until its keys are queued: ${threeDigits(own)} ms.`
}

function paperTable(): string {
  const sizes = Object.keys(PAPER_CREATION[0]!.byMib)
  return markdownTable(
    [{ title: '', numeric: false }, ...sizes.map((size) => ({ title: size, numeric: true }))],
    PAPER_CREATION.map(({ text, byMib }) => [text, ...sizes.map((size) => shown(byMib[Number(size)]))]),
  )
}

function crowdParts(samples: readonly Sample[]): string[] {
  const crowds = samples.filter((sample): sample is CrowdSample => sample.kind === 'crowd')
  if (crowds.length === 0) return []
  const counts = [...new Set(crowds.map(({ count }) => count))].sort((a, b) => a - b)
  const seconds = (store: string, how: string, order: string) => (count: number) => {
    const times = crowds
      .filter((sample) => sample.store === store && sample.how === how && sample.order === order)
      .flatMap((sample) => (sample.count === count ? sample.seconds : []))
    return times.length === 0 ? undefined : median(times)
  }
  const ours = STORES.flatMap((store) =>
    (['xl', 'direct'] as const).flatMap((how) =>
      (['sequence', 'parallel'] as const).flatMap((order) => {
        const cells = counts.map(seconds(store, how, order))
        if (cells.every((cell) => cell === undefined)) return []
        const label = `${how === 'xl' ? 'xl create' : 'direct build'}, ${order === 'sequence' ? 'one after the other' : 'at once'}, ${store === 'c' ? 'C xenstored' : 'oxenstored'}`
        return [[label, ...cells.map(shown)]]
      }),
    ),
  )
  const theirs = PAPER_CROWDS.map(({ text, byCount }) => [
    `the paper's, at once, ${text}`,
    ...counts.map((count) => shown(byCount[count])),
  ])
  const titles = ['', ...counts.map((count) => `${count} domains`)]
  const table = markdownTable(
    titles.map((title, i) => ({ title, numeric: i > 0 })),
    [...ours, ...theirs],
  )
  return ['## Many at once: seconds until the last is ready, 4 MiB each', table]
}

/** To the first echoed byte, a point for each memory, beside the paper's creation times. */
export function summonPlot({ samples }: SummonResults): string {
  const found = new Samples(samples)
  const point = (value: number, mib: number | string) => ({ value: Number(threeDigits(value)), label: `${mib} MiB` })
  const rowsOf = (type: GuestType): PointRow[] =>
    WAYS.flatMap((way) => {
      const points = MEMORIES_MIB.flatMap((mib) => {
        const echo = found.median(type, way, mib, 'echo')
        return echo === undefined ? [] : point(echo, mib)
      })
      return points.length === 0 ? [] : { label: WAY_TEXT[way], points, kind: 'ours' as const }
    })
  const chart: LogChart = {
    title: 'From the summon to the first echoed byte',
    subtitle: `Points: ${MEMORIES_MIB.join(', ')} MiB, the larger the more. Logarithmic. Emulated Xen; the paper's are real machines, domain creation only.`,
    unit: 'ms',
    groups: [
      ...GUEST_TYPES.filter((type) => found.has(type)).map((type) => ({
        title: `${type.toUpperCase()} unikernel`,
        rows: rowsOf(type),
      })),
      {
        title: 'The paper (16 to 256 MiB)',
        rows: PAPER_CREATION.map(({ text, byMib }) => ({
          label: text,
          points: Object.entries(byMib).map(([mib, ms]) => point(ms, mib)),
          kind: 'theirs' as const,
        })),
      },
    ],
  }
  return logChart(chart)
}
