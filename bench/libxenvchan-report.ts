// What came of bench/libxenvchan.ts as people read it: one table a kind, each row beside C with C. Pure.
import type { InteropCase } from './libxenvchan.js'
import type { Machine } from './machine.js'
import { bytes, duration, scaled, threeDigits } from './quantity.js'
import type { Summary } from './statistics.js'
import { markdownTable } from './table.js'

export interface InteropResults {
  readonly machine: Machine
  /** Of five minutes, at the end: over one for each core somebody else worked here as well, and only ratios say much. */
  readonly loadAverage: number
  readonly rows: readonly (InteropCase & Summary & { readonly samples: readonly number[] })[]
}

type Row = InteropResults['rows'][number]

export function libxenvchanTables({ machine, loadAverage, rows }: InteropResults): string {
  const runs = rows[0]?.runs ?? 0
  const parts = [
    `Medians of ${runs} runs, two processes each, Debian's libxenvchan through the preload library and the SDK on the same local substrate, in turn in the same run.`,
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel} (${machine.architecture}), Node ${machine.node}, ${machine.date.slice(0, 10)}; load average ${loadAverage.toFixed(1)}.${loadAverage > machine.cores ? ' Others worked here as well: ends that spin had to give way, and only the ratios say something.' : ''}`,
    '## Throughput\n\nThe writer serves, the reader is the client (the SDK with `onread`). More is better.',
    table(rows, 'throughput', (value) => scaled(value, 'B/s')),
    '## Round trip, p50\n\nThe client asks, the server echoes; 64 KiB rings. Less is better.',
    table(rows, 'round-trip', duration),
  ]
  return `${parts.join('\n\n')}\n`
}

function table(all: readonly Row[], kind: Row['kind'], show: (value: number) => string): string {
  const rows = all.filter((row) => row.kind === kind)
  const titles = ['ring', 'chunk', 'server → client', 'median', 'least – most', '× C → C']
  return markdownTable(
    titles.map((title, i) => ({ title, numeric: i !== 2 })),
    rows.map((row) => {
      const yardstick = rows.find(
        (other) =>
          other.server === 'C' &&
          other.client === 'C' &&
          other.ringBytes === row.ringBytes &&
          other.chunkBytes === row.chunkBytes,
      )
      return [
        bytes(row.ringBytes),
        bytes(row.chunkBytes),
        `${row.server} → ${row.client}`,
        show(row.median),
        `${show(row.min)} – ${show(row.max)}`,
        yardstick === undefined ? '' : threeDigits(row.median / yardstick.median),
      ]
    }),
  )
}
