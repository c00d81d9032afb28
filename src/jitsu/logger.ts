// What jitsud and its parts say about themselves, without a logger of their own: whoever composes them brings one.
import { isConduitError } from '../errors.js'

/** From nothing to everything. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

/** How much is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What belongs to a message beside its text. Plain JSON; `level`, `time` and `msg` are the log's own. */
export type LogFields = Readonly<Record<string, unknown>>

/** Takes lines and never throws, whatever becomes of them. */
export interface Logger {
  /** Something does not work, and a person has to mend it. */
  error(message: string, fields?: LogFields): void
  /** Something does not work, and is tried again or done without. */
  warn(message: string, fields?: LogFields): void
  /** The lives of services and of jitsud itself. */
  info(message: string, fields?: LogFields): void
  /** Every step, and what services print. */
  debug(message: string, fields?: LogFields): void
}

const nothing = (): void => undefined

/** Says nothing. */
export const silentLogger: Logger = { error: nothing, warn: nothing, info: nothing, debug: nothing }

/** An error as fields: a stack tells the reader of a log nothing that its code and hint do not. */
export function errorFields(error: unknown): LogFields {
  if (!isConduitError(error)) return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  const { code, message, hint } = error
  return { code, error: message, ...(hint === undefined ? {} : { hint }) }
}
