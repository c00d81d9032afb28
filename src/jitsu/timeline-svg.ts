// Timelines as an SVG waterfall: one panel a summon, one bar a phase. Brings its own background, follows the reader's
// colour scheme, and runs no script, so that it can be opened from anywhere.
import type { Timeline, TimelineStep } from './timeline.js'
import { circumstances, formatSpan, headline, type Phase, phases, printable, spanMs } from './timeline-phases.js'

const WIDTH = 760
const MARGIN = 24
const LABEL_WIDTH = 140
const VALUE_WIDTH = 150
const BARS_LEFT = MARGIN + LABEL_WIDTH
const BARS_WIDTH = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH
const ROW_HEIGHT = 24
const BAR_HEIGHT = 16
const HEAD_HEIGHT = 56
const AXIS_HEIGHT = 28
const PANEL_GAP = 20
const TICKS_MAX = 6
/** Longer headlines would leave the page. */
const HEADLINE_MAX = 96

/** Colours that keep a contrast of 3:1 to both backgrounds. */
const STYLE = `
  .page { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .quiet { fill: #59636e }
  .tick { stroke: #d0d7de }
  .launching { fill: #2f7ed8 } .booting { fill: #8a63d2 } .ready { fill: #1b9e8a } .using { fill: #d9822b }
  @media (prefers-color-scheme: dark) {
    .page { fill: #151b23; stroke: #3d444d }
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .tick { stroke: #3d444d }
  }`

const KIND: Record<TimelineStep, string> = {
  query: 'launching',
  launch: 'launching',
  taken: 'launching',
  built: 'launching',
  unpaused: 'launching',
  alive: 'booting',
  ready: 'ready',
  answered: 'using',
  firstByte: 'using',
}

/** One document of all of them, in the given order. */
export function timelineSvg(timelines: readonly Timeline[]): string {
  let y = MARGIN
  const panels = timelines.map((timeline) => {
    const drawn = panel(timeline, y)
    y += panelHeight(timeline) + PANEL_GAP
    return drawn
  })
  const body = panels.length > 0 ? panels : [line('quiet', MARGIN, y + 12, 'No service was summoned yet.')]
  const height = panels.length > 0 ? y - PANEL_GAP + MARGIN : y + 24 + MARGIN
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Timelines of summoned services">
<style>${STYLE}
</style>
<rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${body.join('\n')}
</svg>
`
}

const panelHeight = (timeline: Timeline): number =>
  HEAD_HEIGHT + phases(timeline).length * ROW_HEIGHT + (spanMs(timeline) > 0 ? AXIS_HEIGHT : 0)

function panel(timeline: Timeline, top: number): string {
  const list = phases(timeline)
  const total = spanMs(timeline)
  const perMs = total > 0 ? BARS_WIDTH / total : 0
  const rowsTop = top + HEAD_HEIGHT
  const bottom = rowsTop + list.length * ROW_HEIGHT
  const whole = headline(timeline)
  return [
    '<g>',
    `<title>${escaped(whole)}</title>`,
    line('title', MARGIN, top + 14, shortened(whole)),
    line('quiet', MARGIN, top + 34, circumstances(timeline)),
    ...(total > 0 ? axis(total, perMs, { top: rowsTop, bottom }) : []),
    ...list.map((phase, i) => row(phase, rowsTop + i * ROW_HEIGHT, perMs)),
    '</g>',
  ].join('\n')
}

function row({ step, label, fromMs, toMs }: Phase, top: number, perMs: number): string {
  const left = BARS_LEFT + fromMs * perMs
  // Never invisible: the shortest phase is still a bar.
  const width = Math.max(1.5, (toMs - fromMs) * perMs)
  const baseline = top + BAR_HEIGHT - 4
  return [
    `<text class="quiet" x="${BARS_LEFT - 8}" y="${baseline}" text-anchor="end">${escaped(label)}</text>`,
    `<rect class="${KIND[step]}" x="${left.toFixed(1)}" y="${top}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
    line('', BARS_LEFT + BARS_WIDTH + 12, baseline, `+${formatSpan(toMs - fromMs)}, at ${formatSpan(toMs)}`),
  ].join('\n')
}

function axis(totalMs: number, perMs: number, { top, bottom }: { top: number; bottom: number }): string[] {
  const step = tickMs(totalMs)
  const count = Math.floor(totalMs / step) + 1
  return Array.from({ length: count }, (_, i) => {
    const x = (BARS_LEFT + i * step * perMs).toFixed(1)
    return `<path class="tick" d="M${x} ${top - 4}V${bottom}"/>\n<text class="quiet" x="${x}" y="${bottom + 16}" text-anchor="middle">${formatTick(i * step)}</text>`
  })
}

/** 1, 2 or 5 times a power of ten, so that there are few enough. */
function tickMs(totalMs: number): number {
  const rough = totalMs / TICKS_MAX
  const power = 10 ** Math.floor(Math.log10(rough))
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10)
}

const formatTick = (millis: number): string =>
  millis >= 1000 ? `${Number((millis / 1000).toPrecision(3))} s` : `${Number(millis.toPrecision(3))} ms`

const line = (kind: string, x: number, y: number, text: string): string =>
  `<text${kind === '' ? '' : ` class="${kind}"`} x="${x}" y="${y}">${escaped(text)}</text>`

const shortened = (text: string): string => (text.length > HEADLINE_MAX ? `${text.slice(0, HEADLINE_MAX - 1)}…` : text)

const escaped = (text: string): string =>
  printable(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
