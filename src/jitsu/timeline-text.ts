// Timelines as text for a terminal: one line a phase, its bar where it lies in the whole.

import type { Timeline } from './timeline.js'
import { circumstances, formatSpan, headline, type Phase, phases, spanMs } from './timeline-phases.js'

/** How timelineLines() draws. */
export interface TimelineTextOptions {
  /** Width of the terminal; 80 by default, never less than 50. */
  readonly columns?: number | undefined
}

const COLUMNS = 80
const COLUMNS_MIN = 50
const INDENT = '  '
const GAP = '  '
const EIGHTHS_IN_CELL = 8
/** A bar's last cell, from empty to full (Unicode, Block Elements). */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/**
 * The lines of one summon, without a line break at the end.
 *
 * @example
 * www, summon 3: ready after 43.1 ms
 *   by dns, 1 asker, 2026-11-24 12:41:03.250 UTC
 *   launched  +0.40 ms  0.40 ms  ▏
 *   ready     +42.7 ms  43.1 ms  ██████████████████
 */
export function timelineLines(timeline: Timeline, { columns = COLUMNS }: TimelineTextOptions = {}): string[] {
  const list = phases(timeline)
  const labelWidth = Math.max(0, ...list.map(({ label }) => label.length))
  const times = list.map(({ fromMs, toMs }) => [`+${formatSpan(toMs - fromMs)}`, formatSpan(toMs)] as const)
  const widths = [0, 1].map((column) => Math.max(0, ...times.map((pair) => pair[column]!.length)))
  const used = INDENT.length + labelWidth + widths[0]! + widths[1]! + 3 * GAP.length
  const cells = Math.max(COLUMNS_MIN, columns) - used
  const total = spanMs(timeline)
  const lines = list.map((phase, i) => {
    const [took, at] = times[i]!
    const text = [phase.label.padEnd(labelWidth), took.padStart(widths[0]!), at.padStart(widths[1]!)].join(GAP)
    return `${INDENT}${text}${GAP}${bar(phase, total, cells)}`.trimEnd()
  })
  return [headline(timeline), `${INDENT}${circumstances(timeline)}`, ...lines]
}

/** Where the phase lies among `cells`: its start to a cell, its end to an eighth of one. Never invisible. */
function bar({ fromMs, toMs }: Phase, totalMs: number, cells: number): string {
  const perMs = totalMs > 0 ? cells / totalMs : 0
  const start = Math.min(cells - 1, Math.floor(fromMs * perMs))
  const eighths = Math.max(1, Math.round((toMs * perMs - start) * EIGHTHS_IN_CELL))
  const full = Math.floor(eighths / EIGHTHS_IN_CELL)
  return `${' '.repeat(start)}${'█'.repeat(full)}${EIGHTHS[eighths % EIGHTHS_IN_CELL]}`
}
