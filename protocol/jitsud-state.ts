// What jitsud remembers of its services for after a restart of its own: one JSON file. What a launcher needs to find an instance
// again is the launcher's business.
import { z } from 'zod'

const preparedSchema = z.object({
  /** Of the launcher. */
  kind: z.string(),
  token: z.unknown(),
})

/** An instance that was built and had not run. */
export type PreparedRecord = z.output<typeof preparedSchema>

const recordSchema = z.object({
  /** Summons so far. */
  number: z.int().min(0),
  running: z
    .object({
      /** Of the launcher. */
      kind: z.string(),
      token: z.unknown(),
      ready: z.boolean(),
      /** Whether anybody had asked for it. */
      requested: z.boolean(),
    })
    .optional(),
  /** The launcher has it suspended. */
  suspended: z.literal(true).optional(),
  /** What is kept warm. */
  prepared: z.array(preparedSchema).optional(),
})

export type ServiceRecord = z.output<typeof recordSchema>

const stateSchema = z.object({ version: z.literal(1), services: z.record(z.string(), recordSchema) })

export type JitsudState = z.output<typeof stateSchema>

export const NO_STATE: JitsudState = { version: 1, services: {} }

/** The state that `text` spells, or undefined. Never throws. */
export function parseJitsudState(text: string): JitsudState | undefined {
  try {
    return stateSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

export const formatJitsudState = (state: JitsudState): string => `${JSON.stringify(state, null, 1)}\n`
