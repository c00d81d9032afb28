// Wrong usage of the command line: exit status 2. The world's failures are ConduitErrors: status 1.
import type { ConduitError } from '../errors.js'

/** What was asked for cannot be meant. `message` is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What the command line cannot mean, by the code and in the words of who read it. */
export const usageErrorOf = ({ code, message, hint }: ConduitError): UsageError =>
  new UsageError(`${code}: ${message}: ${hint ?? ''}`)
