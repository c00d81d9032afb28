// What an admin address answers, checked before it is believed: whoever listens there may be another program.
import { z } from 'zod'
import { TIMELINE_STEPS, type Timeline } from '../timeline.js'
import type { JitsudStatus } from './status.js'

const text = z.string().max(65_536)
const texts = z.array(text).max(1024)
const millis = z.number().nonnegative()
const counters = z.record(text, z.union([z.number(), z.record(text, z.number())]))
const OUTCOMES = ['ready', 'failed', 'abandoned'] as const

const serviceStatus = z.object({
  name: text,
  state: z.enum(['stopped', 'starting', 'ready', 'stopping']),
  dns: texts,
  addresses: texts,
  domid: z.number().nullable(),
  pid: z.number().nullable(),
  lastSummon: z
    .object({
      number: z.number(),
      startedAtMs: z.number(),
      outcome: z.enum([...OUTCOMES, 'under way']),
      readyMs: millis.nullable(),
      error: text.nullable(),
    })
    .nullable(),
  pool: z
    .object({
      wanted: z.number(),
      ready: z.number(),
      memoryBytes: z.number(),
      problem: text.nullable(),
      counters,
    })
    .nullable(),
  held: z.array(z.object({ address: text, counters })),
})

const statusSchema: z.ZodType<JitsudStatus> = z.object({
  version: text,
  pid: z.number(),
  startedAtMs: z.number(),
  backend: text,
  config: text.nullable(),
  reloads: z.number(),
  reloadError: text.nullable(),
  dns: z.object({ address: text, counters }).nullable(),
  services: z.array(serviceStatus),
})

const timeline = z
  .object({
    service: text,
    number: z.number(),
    by: z.enum(['dns', 'conduit', 'hold', 'admin']),
    startedAtMs: z.number(),
    steps: z.partialRecord(z.enum(TIMELINE_STEPS), millis),
    askers: z.number(),
    outcome: z.enum(OUTCOMES).optional(),
    error: text.optional(),
  })
  // JSON leaves out what is undefined.
  .transform(({ outcome, ...rest }): Timeline => ({ ...rest, outcome }))

/** The status that a value spells; undefined when it is none. */
export const parseStatus = (value: unknown): JitsudStatus | undefined => statusSchema.safeParse(value).data

/** As {@link parseStatus}, for timelines. */
export const parseTimelines = (value: unknown): readonly Timeline[] | undefined =>
  z.array(timeline).safeParse(value).data
