// What is wrong in a configuration, in the words of whoever wrote it: the path of the key, and what is accepted there. Strict
// objects and unions are made here, since zod's own messages name neither.
import { z } from 'zod'

/** One thing that is wrong. */
export interface ConfigFault {
  /** Such as `services[0].ready.when`; empty for the configuration as a whole. */
  readonly path: string
  readonly problem: string
  /** The accepted values, keys or form. */
  readonly accepted: string
}

/** An object that takes these keys and no other. */
export function exactly<Shape extends z.ZodRawShape>(shape: Shape) {
  const keys = `the keys ${Object.keys(shape).join(', ')}`
  return z.strictObject(shape, { error: () => keys })
}

/** A string that `parse` understands; undefined from it means no. */
export function text<T>(accepted: string, parse: (given: string) => T | undefined) {
  return z.string({ error: () => accepted }).transform((given, context) => {
    const parsed = parse(given)
    if (parsed !== undefined) return parsed
    context.addIssue({ code: 'custom', message: accepted, params: { problem: `${show(given)} is not accepted` } })
    return z.NEVER
  })
}

/** A number from `min` to `max`, with its unit for people. */
export function quantity(unit: string, min: number, max: number) {
  const accepted = `${unit} from ${min} to ${max}`
  return z
    .number({ error: () => accepted })
    .min(min, accepted)
    .max(max, accepted)
}

/** What zod found, one fault for each key. */
export function faultsOf(error: z.ZodError): ConfigFault[] {
  return error.issues.flatMap((issue) => faultsOfIssue(issue as z.core.$ZodIssue))
}

function faultsOfIssue(issue: z.core.$ZodIssue): ConfigFault[] {
  const path = formatPath(issue.path)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: formatPath([...issue.path, key]),
      problem: 'there is no such key',
      accepted: issue.message,
    }))
  }
  if (issue.code === 'custom') {
    const problem = (issue.params?.problem as string | undefined) ?? 'is not accepted'
    return [{ path, problem, accepted: issue.message }]
  }
  return [{ path, problem: problemOf(issue), accepted: issue.message }]
}

/** What a union whose members differ in the value of `key` takes, by what is wrong: its whole, or that key. */
export const oneOf =
  (key: string, values: string) =>
  (issue: { readonly code?: string | undefined }): string =>
    issue.code === 'invalid_union' ? values : `an object with "${key}": ${values}`

function problemOf(issue: z.core.$ZodIssue): string {
  // zod keeps the input only where it is asked to (`reportInput`).
  const discriminated = issue.code === 'invalid_union' && 'discriminator' in issue
  const wrong = discriminated ? (issue.input as Record<string, unknown>)[issue.discriminator as string] : issue.input
  return wrong === undefined ? 'is missing' : `${show(wrong)} is not accepted`
}

/** As it was written, but short: it may be anything. */
export function show(value: unknown): string {
  const written = JSON.stringify(value) ?? String(value)
  return written.length > 60 ? `${written.slice(0, 57)}...` : written
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`
    const key = String(part)
    const plain = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key)
    if (!plain) return `${before}[${show(key)}]`
    return before === '' ? key : `${before}.${key}`
  }, '')
}
