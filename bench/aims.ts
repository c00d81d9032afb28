// The speeds this library aims at, and whether these results reach them. Says so either way.

import { BASELINE } from './plan.js'
import { duration, scaled, threeDigits } from './quantity.js'
import type { GroupResult } from './results.js'

export interface Aim {
  readonly text: string
  readonly wanted: string
  readonly measured: string
  readonly met: boolean
}

type Median = (group: string, subject: string, metric: string) => number

interface Check {
  readonly text: string
  readonly wanted: string
  /** What decides, from medians; NaN when something was not measured. */
  readonly value: (median: Median) => number
  readonly reached: (value: number) => boolean
  readonly show: (value: number) => string
}

const times = (value: number): string => `${threeDigits(value)}×`

const against = (group: string, subject: string, metric: string) => (median: Median) =>
  median(group, subject, metric) / median(group, BASELINE, metric)

const CHECKS: readonly Check[] = [
  {
    text: '64 KiB writes through the stream API, against the unix socket',
    wanted: '≥ 4×',
    value: against('bulk/stream/65536', 'conduit', 'bytesPerSecond'),
    reached: (value) => value >= 4,
    show: times,
  },
  {
    text: '64 KiB writes with a reused read buffer, against the unix socket',
    wanted: '≥ 8×',
    value: against('bulk/onread/65536', 'conduit', 'bytesPerSecond'),
    reached: (value) => value >= 8,
    show: times,
  },
  {
    text: 'round trip asleep (p50), against the unix socket',
    wanted: '≤ 0.8×',
    value: against('round-trip/resting', 'conduit, never spinning', 'p50Micros'),
    reached: (value) => value <= 0.8,
    show: times,
  },
  {
    text: 'round trip spinning (p50)',
    wanted: '≤ 2 µs',
    value: (median) => median('round-trip/back-to-back', 'conduit, spinMicros 50', 'p50Micros'),
    reached: (value) => value <= 2,
    show: duration,
  },
  {
    text: '64-byte messages in batches',
    wanted: '≥ 2 M/s',
    value: (median) => median('messages/batch', 'conduit', 'messagesPerSecond'),
    reached: (value) => value >= 2e6,
    show: (value) => scaled(value, '/s'),
  },
]

/** Those that the results can decide. */
export function aims(groups: readonly GroupResult[]): Aim[] {
  const median: Median = (id, label, metric) => {
    const subject = groups.find((group) => group.id === id)?.subjects.find((each) => each.label === label)
    return subject?.metrics[metric]?.median ?? Number.NaN
  }
  return CHECKS.flatMap(({ text, wanted, value, reached, show }) => {
    const measured = value(median)
    return Number.isNaN(measured) ? [] : [{ text, wanted, measured: show(measured), met: reached(measured) }]
  })
}
