// One line of the table of open connections, written by servers for people to read.
import { z } from 'zod'
import { parseName, parsePort } from './conduit-name.js'
import { parseDomid } from './conduit-paths.js'
import { formatRecord, parseRecord } from './s-expression.js'
import type { Domid } from './xen.js'

export interface FlowEntry {
  readonly state: 'established'
  readonly client: Domid
  readonly name: string
  readonly port: string | undefined
}

const flowFields = z.strictObject({
  client: z.string().transform((text, context) => {
    const client = parseDomid(text)
    if (client !== undefined) return client
    context.addIssue('no domid')
    return z.NEVER
  }),
  name: z.string().refine((text) => parseName(text) === text),
  port: z
    .string()
    .refine((text) => parsePort(text) === text)
    .optional(),
})

/** `(established (client 7) (name web) (port http))` */
export function formatFlow(flow: FlowEntry): string {
  return formatRecord(flow.state, { client: flow.client, name: flow.name, port: flow.port })
}

/** The flow that `text` spells, or undefined: any server may write anything there. */
export function parseFlow(text: string): FlowEntry | undefined {
  const record = parseRecord(text)
  if (record?.head !== 'established') return undefined
  const { success, data } = flowFields.safeParse(record.fields)
  if (!success) return undefined
  return { state: 'established', client: data.client, name: data.name, port: data.port }
}
