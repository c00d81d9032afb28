// A chart of horizontal bars as SVG text: groups of bars with the measured range as a thin line and the value beside.
// Brings its own background and follows the reader's colour scheme, so it can be read on light and on dark pages.

export interface Bar {
  readonly label: string
  readonly value: number
  readonly min: number
  readonly max: number
  /** The value as shown beside the bar. */
  readonly text: string
  readonly kind: 'ours' | 'ours-too' | 'ours-as-well' | 'theirs' | 'others'
}

export interface BarGroup {
  readonly title: string
  readonly bars: readonly Bar[]
}

export interface BarChart {
  readonly title: string
  readonly subtitle: string
  readonly groups: readonly BarGroup[]
}

const WIDTH = 760
const MARGIN = 24
const LABEL_WIDTH = 190
const VALUE_WIDTH = 90
const BAR_HEIGHT = 16
const BAR_STEP = 22
const GROUP_TITLE_HEIGHT = 24
const GROUP_GAP = 14
const HEAD_HEIGHT = 66

/** Colours that keep a contrast of 3:1 to both backgrounds, told apart by the colour-blind too. */
export const CHART_STYLE = `
  .page { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
  .title { font-size: 17px; font-weight: 600 }
  .group { font-weight: 600 }
  .quiet { fill: #59636e }
  .range { stroke: #1f2328; stroke-width: 1.5; opacity: 0.65 }
  .ours { fill: #2f7ed8 } .ours-too { fill: #1b9e8a } .ours-as-well { fill: #8a63d2 }
  .theirs { fill: #d9822b } .others { fill: #848d97 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #151b23; stroke: #3d444d }
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .range { stroke: #e6edf3 }
  }`

export function barChart(chart: BarChart): string {
  const longest = Math.max(0, ...chart.groups.flatMap(({ bars }) => bars.map(({ value, max }) => Math.max(value, max))))
  const room = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH
  const scale = longest === 0 ? 0 : room / longest
  let y = HEAD_HEIGHT
  const groups = chart.groups.map((group) => {
    const drawn = drawGroup(group, y, scale)
    y += GROUP_TITLE_HEIGHT + group.bars.length * BAR_STEP + GROUP_GAP
    return drawn
  })
  const height = y + MARGIN - GROUP_GAP
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(chart.title)}">
<style>${CHART_STYLE}
</style>
<rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
<text class="title" x="${MARGIN}" y="32">${escaped(chart.title)}</text>
<text class="quiet" x="${MARGIN}" y="52">${escaped(chart.subtitle)}</text>
${groups.join('\n')}
</svg>
`
}

function drawGroup(group: BarGroup, top: number, scale: number): string {
  const bars = group.bars.map((bar, i) => drawBar(bar, top + GROUP_TITLE_HEIGHT + i * BAR_STEP, scale))
  return [`<text class="group" x="${MARGIN}" y="${top + 15}">${escaped(group.title)}</text>`, ...bars].join('\n')
}

function drawBar(bar: Bar, top: number, scale: number): string {
  const left = MARGIN + LABEL_WIDTH
  const at = (value: number): string => (left + value * scale).toFixed(1)
  const middle = top + BAR_HEIGHT / 2
  const baseline = top + BAR_HEIGHT - 4
  // Never invisible: the thinnest bar is still a bar.
  const width = Math.max(1.5, bar.value * scale).toFixed(1)
  const textAt = (left + Math.max(bar.value, bar.max) * scale + 8).toFixed(1)
  return [
    `<text class="quiet" x="${left - 8}" y="${baseline}" text-anchor="end">${escaped(bar.label)}</text>`,
    `<rect class="${bar.kind}" x="${left}" y="${top}" width="${width}" height="${BAR_HEIGHT}" rx="2"/>`,
    `<path class="range" d="M${at(bar.min)} ${middle}H${at(bar.max)}"/>`,
    `<text x="${textAt}" y="${baseline}">${escaped(bar.text)}</text>`,
  ].join('\n')
}

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
