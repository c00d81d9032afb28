// What happened when in one summon. The directory writes it; the admin address, `jitsud timeline` and the metrics read it.
import type { SummonedBy } from './summon.js'

/** In the order of a summon that goes well; any may be missing. */
export const TIMELINE_STEPS = [
  'query',
  'launch',
  'taken',
  'built',
  'unpaused',
  'alive',
  'ready',
  'answered',
  'firstByte',
] as const

/** A step of a summon. */
export type TimelineStep = (typeof TIMELINE_STEPS)[number]

/** One summon. Plain JSON. */
export interface Timeline {
  /** The service's conduit name. */
  readonly service: string
  /** Counts up within the service, across restarts of jitsud. */
  readonly number: number
  /** Who asked first. */
  readonly by: SummonedBy
  /** Wall clock of the query, in ms since 1970; everything else is monotonic. */
  readonly startedAtMs: number
  /** Milliseconds since the query. */
  readonly steps: Readonly<Partial<Record<TimelineStep, number>>>
  /** Askers that shared the boot. */
  readonly askers: number
  /** Undefined while it goes on. */
  readonly outcome: 'ready' | 'failed' | 'abandoned' | undefined
  /** The error's message, for one that failed. */
  readonly error?: string | undefined
}
