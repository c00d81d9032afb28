// Wrong usage of the command line: exit status 2. The world's failures are ConduitErrors: status 1.

/** What was asked for cannot be meant. `message` is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
