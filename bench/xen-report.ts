// What came of bench/xen.ts as people read it, each row beside C with C. Pure.
import type { Machine } from './machine.js'
import { bytes, duration, scaled, threeDigits } from './quantity.js'
import type { Summary } from './statistics.js'
import { markdownTable } from './table.js'
import type { XenCase } from './xen-cases.js'

export interface XenResults {
  /** What emulates the Xen machine. */
  readonly machine: Machine
  readonly rows: readonly (XenCase & Summary & { readonly samples: readonly number[] })[]
}

type Row = XenResults['rows'][number]

export function xenTables({ machine, rows }: XenResults): string {
  const parts = [
    `Medians of ${rows[0]?.runs ?? 0} runs in one boot of the testbed: dom0 and a PV guest of Xen in QEMU's software emulation, 64 KiB rings, the SDK with its default spin. Compare within this table only.`,
    `Emulated on ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel} (${machine.architecture}), Node ${machine.node}, ${machine.date.slice(0, 10)}.`,
    '## Throughput\n\nThe server writes, the client reads. More is better.',
    table(rows, 'throughput', (value) => scaled(value, 'B/s')),
    '## Round trip, p50\n\nThe client in dom0 asks, the server in the guest echoes. Less is better.',
    table(rows, 'round-trip', duration),
  ]
  return `${parts.join('\n\n')}\n`
}

function table(all: readonly Row[], kind: XenCase['kind'], show: (value: number) => string): string {
  const rows = all.filter((row) => row.kind === kind)
  const titles = ['direction', 'chunk', 'server → client', 'median', 'least – most', '× C → C']
  return markdownTable(
    titles.map((title, i) => ({ title, numeric: i !== 0 && i !== 2 })),
    rows.map((row) => [
      row.serves === 'guest' ? 'guest → dom0' : 'dom0 → guest',
      bytes(row.chunkBytes),
      `${row.server} → ${row.client}`,
      show(row.median),
      `${show(row.min)} – ${show(row.max)}`,
      threeDigits(row.median / yardstick(rows, row).median),
    ]),
  )
}

/** C with C, otherwise the same. */
function yardstick(rows: readonly Row[], row: Row): Row {
  const same = (other: Row) => other.serves === row.serves && other.chunkBytes === row.chunkBytes
  return rows.find((other) => other.server === 'C' && other.client === 'C' && same(other)) ?? row
}
