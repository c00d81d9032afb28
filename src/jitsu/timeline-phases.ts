// A timeline as what is drawn of it: its steps in the order in which they happened, each with the time since the one
// before. Drawing is timeline-text.ts and timeline-svg.ts.
import { TIMELINE_STEPS, type Timeline, type TimelineStep } from './timeline.js'

/** The time between two steps; `label` names what it ended with. */
export interface Phase {
  readonly step: TimelineStep
  readonly label: string
  /** Milliseconds since the query. */
  readonly fromMs: number
  readonly toMs: number
}

const LABELS: Record<TimelineStep, string> = {
  query: 'asked',
  launch: 'launched',
  taken: 'from the pool',
  built: 'built',
  unpaused: 'unpaused',
  alive: 'first sign of life',
  ready: 'ready',
  answered: 'answered',
  firstByte: 'first byte',
}

/** The query itself is the origin and no phase. An answer may come before the service is ready: time decides, not the list. */
export function phases({ steps }: Timeline): Phase[] {
  const happened = TIMELINE_STEPS.flatMap((step) => {
    const atMs = steps[step]
    return atMs === undefined || step === 'query' ? [] : [{ step, atMs: Math.max(0, atMs) }]
  }).sort((a, b) => a.atMs - b.atMs)
  let fromMs = 0
  return happened.map(({ step, atMs }) => {
    const phase = { step, label: LABELS[step], fromMs, toMs: atMs }
    fromMs = atMs
    return phase
  })
}

/** When the last step happened. */
export const spanMs = (timeline: Timeline): number => phases(timeline).at(-1)?.toMs ?? 0

/** `www, summon 3: ready after 43.1 ms`, with what went wrong where something did. */
export function headline(timeline: Timeline): string {
  const { service, number, outcome, error, steps } = timeline
  const took = formatSpan(steps.ready ?? spanMs(timeline))
  const how = {
    ready: `ready after ${took}`,
    failed: `failed after ${formatSpan(spanMs(timeline))}${error === undefined ? '' : `: ${printable(error)}`}`,
    abandoned: `abandoned after ${formatSpan(spanMs(timeline))}`,
    going: 'under way',
  }[outcome ?? 'going']
  return `${printable(service)}, summon ${number}: ${how}`
}

/** `by dns, 3 askers, 2026-11-24 12:41:03.250 UTC` */
export function circumstances({ by, askers, startedAtMs }: Timeline): string {
  const at = new Date(startedAtMs)
  const when = Number.isNaN(at.getTime()) ? '' : `, ${at.toISOString().replace('T', ' ').replace('Z', ' UTC')}`
  return `by ${by}, ${askers} ${askers === 1 ? 'asker' : 'askers'}${when}`
}

/** Milliseconds as people read them: `0.42 ms`, `43.1 ms`, `2.50 s`. */
export function formatSpan(millis: number): string {
  const [value, unit] = millis < 1000 ? [millis, 'ms'] : [millis / 1000, 's']
  return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${unit}`
}

/** What a launcher's tool or a guest put into a message must not move a terminal's cursor, nor break a document. */
export const printable = (text: string): string => Buffer.from(text).toString().replace(UNPRINTABLE, ' ')

// Controls, the line and paragraph separators, what overrides the direction of text, and what XML 1.0 has no place for
// (section 2.2: FFFE and FFFF).
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufffe\uffff]+/g
