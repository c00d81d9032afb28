// A chart of points on one logarithmic axis as SVG text: a row for each subject, a point for each of its sizes, joined by a thin
// line. For values that lie a thousand times apart. Wears the clothes of bar-chart.ts.
import { CHART_STYLE, escaped } from './bar-chart.js'

export interface Point {
  readonly value: number
  /** What the point stands for, such as `16 MiB`: shown when it is pointed at. */
  readonly label: string
}

export interface PointRow {
  readonly label: string
  readonly points: readonly Point[]
  readonly kind: 'ours' | 'theirs'
}

export interface LogChart {
  readonly title: string
  readonly subtitle: string
  /** Of the values, such as `ms`. */
  readonly unit: string
  readonly groups: readonly { readonly title: string; readonly rows: readonly PointRow[] }[]
}

const WIDTH = 760
const MARGIN = 24
const LABEL_WIDTH = 190
const RIGHT_WIDTH = 40
const ROW_STEP = 24
const GROUP_TITLE_HEIGHT = 26
const GROUP_GAP = 12
const HEAD_HEIGHT = 72
const AXIS_HEIGHT = 24

/** @throws RangeError for a value that has no logarithm */
export function logChart(chart: LogChart): string {
  const values = chart.groups.flatMap(({ rows }) => rows.flatMap(({ points }) => points.map(({ value }) => value)))
  const odd = values.find((value) => !(value > 0 && value < Number.POSITIVE_INFINITY))
  if (odd !== undefined) throw new RangeError(`${odd} has no place on a logarithmic axis`)
  const axis = new Axis(values)
  let y = HEAD_HEIGHT
  const groups = chart.groups.map(({ title, rows }) => {
    const top = y
    y += GROUP_TITLE_HEIGHT + rows.length * ROW_STEP + GROUP_GAP
    const drawn = rows.map((row, i) => drawRow(row, top + GROUP_TITLE_HEIGHT + i * ROW_STEP, axis, chart.unit))
    return [`<text class="group" x="${MARGIN}" y="${top + 15}">${escaped(title)}</text>`, ...drawn].join('\n')
  })
  const height = y + AXIS_HEIGHT
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(chart.title)}">
<style>${CHART_STYLE}
  .grid { stroke: #848d97; stroke-width: 1; opacity: 0.35 }
  .join { stroke: #848d97; stroke-width: 1.5 }
</style>
<rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
<text class="title" x="${MARGIN}" y="32">${escaped(chart.title)}</text>
<text class="quiet" x="${MARGIN}" y="52">${escaped(chart.subtitle)}</text>
${drawAxis(axis, y, chart.unit)}
${groups.join('\n')}
</svg>
`
}

/** From the power of ten below the least value to the one above the greatest. */
class Axis {
  readonly from: number
  readonly to: number

  constructor(values: readonly number[]) {
    this.from = Math.floor(Math.log10(Math.min(...values, 1)))
    this.to = Math.max(this.from + 1, Math.ceil(Math.log10(Math.max(...values, 1))))
  }

  at(value: number): string {
    const left = MARGIN + LABEL_WIDTH
    const room = WIDTH - left - MARGIN - RIGHT_WIDTH
    return (left + ((Math.log10(value) - this.from) / (this.to - this.from)) * room).toFixed(1)
  }
}

function drawAxis(axis: Axis, bottom: number, unit: string): string {
  const powers = Array.from({ length: axis.to - axis.from + 1 }, (_, i) => axis.from + i)
  return powers
    .map((power) => {
      const x = axis.at(10 ** power)
      const text = `${10 ** power} ${unit}`
      return `<path class="grid" d="M${x} ${HEAD_HEIGHT}V${bottom}"/>\n<text class="quiet" x="${x}" y="${bottom + 16}" text-anchor="middle">${text}</text>`
    })
    .join('\n')
}

function drawRow({ label, points, kind }: PointRow, top: number, axis: Axis, unit: string): string {
  const middle = top + ROW_STEP / 2
  const ends = points.map(({ value }) => value)
  const join =
    points.length < 2
      ? []
      : [`<path class="join" d="M${axis.at(Math.min(...ends))} ${middle}H${axis.at(Math.max(...ends))}"/>`]
  return [
    `<text class="quiet" x="${MARGIN + LABEL_WIDTH - 12}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>`,
    ...join,
    ...points.map(
      (point, i) =>
        `<circle class="${kind}" cx="${axis.at(point.value)}" cy="${middle}" r="${3 + i}"><title>${escaped(`${point.label}: ${point.value} ${unit}`)}</title></circle>`,
    ),
  ].join('\n')
}
