// What is measured: groups of subjects that compete on the same job. Runs nothing.
import type { Job, Transport, WorkloadName } from './job.js'

export interface Subject {
  readonly label: string
  readonly job: Job
}

export interface Group {
  /** Stable, for whoever reads the JSON. */
  readonly id: string
  readonly workload: WorkloadName
  readonly title: string
  readonly subjects: readonly Subject[]
}

/** The label of the subject that all others of its group are compared with. */
export const BASELINE = 'unix socket'

export const WRITE_BYTES: readonly (readonly [string, number])[] = [
  ['4 KiB', 4 << 10],
  ['64 KiB', 64 << 10],
  ['1 MiB', 1 << 20],
]

const PAUSE_MS = 2
const SPIN_MICROS = 50
const BIG_RING_BYTES = 1 << 20

const NODE: readonly (readonly [string, { readonly transport: Transport }])[] = [
  [BASELINE, { transport: 'unix' }],
  ['tcp loopback', { transport: 'tcp' }],
]
const ALL: Variants = [['conduit', { transport: 'conduit' }], ...NODE]

type Variant = { readonly transport: Transport } & Partial<Job>
type Variants = readonly (readonly [string, Variant])[]

interface Pace {
  readonly warmUpMs: number
  readonly measureMs: number
  /** Shrinks what counts instead of lasting. */
  readonly share: number
}

const FULL: Pace = { warmUpMs: 300, measureMs: 1200, share: 1 }
const QUICK: Pace = { warmUpMs: 50, measureMs: 150, share: 0.1 }

export function plan(only: readonly WorkloadName[], quick: boolean): Group[] {
  const pace = quick ? QUICK : FULL
  const groups = [...bulk(pace), ...roundTrip(pace), ...messages(pace), connecting(pace), memory(pace)]
  return groups.filter(({ workload }) => only.includes(workload))
}

function bulk(pace: Pace): Group[] {
  const readers = [
    ['stream', 'data events', false],
    ['onread', 'onread', true],
  ] as const
  const variants: Variants = [
    ['conduit', { transport: 'conduit' }],
    ['conduit, 1 MiB rings', { transport: 'conduit', ringBytes: BIG_RING_BYTES }],
    ...NODE,
  ]
  return readers.flatMap(([id, reader, reusesBuffer]) =>
    WRITE_BYTES.map(([size, writeBytes]) =>
      group(`bulk/${id}/${writeBytes}`, 'bulk', `${size} writes, ${reader}`, variants, {
        pace,
        writeBytes,
        reusesBuffer,
      }),
    ),
  )
}

function roundTrip(pace: Pace): Group[] {
  const sleeping: Variants = [
    ['conduit, never spinning', { transport: 'conduit', spinMicros: 0 }],
    ['conduit', { transport: 'conduit' }],
  ]
  const spinning: Variants = [[`conduit, spinMicros ${SPIN_MICROS}`, { transport: 'conduit', spinMicros: SPIN_MICROS }]]
  return [
    group('round-trip/resting', 'round-trip', `a rest of ${PAUSE_MS} ms between`, [...sleeping, ...NODE], {
      pace,
      pauseMs: PAUSE_MS,
    }),
    group('round-trip/back-to-back', 'round-trip', 'one after the other', [...sleeping, ...spinning, ...NODE], {
      pace,
      pauseMs: 0,
    }),
  ]
}

function messages(pace: Pace): Group[] {
  return [
    group('messages/batch', 'messages', 'in batches', ALL, { pace, batched: true }),
    group('messages/single', 'messages', 'one by one', ALL, { pace, batched: false }),
  ]
}

const connecting = (pace: Pace): Group =>
  group('connect', 'connect', 'one after the other', ALL, { pace, repetitions: 300 * pace.share })

const memory = (pace: Pace): Group => group('memory', 'memory', 'idle', ALL, { pace, repetitions: 200 * pace.share })

function group(
  id: string,
  workload: WorkloadName,
  title: string,
  variants: Variants,
  { pace, ...common }: { pace: Pace } & Partial<Job>,
): Group {
  const { warmUpMs, measureMs } = pace
  const subjects = variants.map(([label, variant]) => ({
    label,
    job: { workload, warmUpMs, measureMs, ...common, ...variant },
  }))
  return { id, workload, title, subjects }
}
