// What an error means for the process: its exit status and the one line that stderr gets.
import { constants } from 'node:os'
import { ConduitError } from '../errors.js'
import { UsageError } from './usage-error.js'

export const EXIT = { OK: 0, FAILED: 1, USAGE: 2 } as const
/** A shell's status of a process that a signal ended: 128 + n. */
const SIGNALLED = 128

/** SIGINT, SIGTERM or SIGHUP asked the process to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }
}

/** Nobody reads what is written to stdout any more, as in `conduit-cat web | head -1`. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

/** A signal's exit status, as shells count. */
export const signalStatus = (signal: NodeJS.Signals): number => SIGNALLED + constants.signals[signal]

/** The exit status for whatever ended the work. Filters whose reader has gone die of SIGPIPE: so does this one, in effect. */
export function exitStatus(error: unknown): number {
  if (error instanceof UsageError) return EXIT.USAGE
  if (error instanceof Interrupted) return signalStatus(error.signal)
  if (error instanceof OutputClosed) return signalStatus('SIGPIPE')
  return EXIT.FAILED
}

/** `CODE: what was tried: why (hint)` without line breaks, or undefined where nothing is to be said. */
export function failureLine(error: unknown, program = 'conduit-cat'): string | undefined {
  if (error instanceof Interrupted || error instanceof OutputClosed) return undefined
  if (error instanceof UsageError) return oneLine(`${error.message} (see ${program} --help)`)
  const { code, hint } = failureParts(error)
  return oneLine(`${code}: ${messageOf(error)}${hint === undefined ? '' : ` (${hint})`}`)
}

/** The same for programs. */
export interface FailureParts {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
}

export function failureParts(error: unknown): FailureParts {
  const message = oneLine(messageOf(error))
  if (error instanceof ConduitError) return { code: error.code, message, hint: error.hint }
  if (error instanceof UsageError) return { code: 'EINVAL', message, hint: 'see conduit-cat --help' }
  const { code } = error as NodeJS.ErrnoException
  return { code: typeof code === 'string' ? code : 'SYSTEM', message, hint: undefined }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What a peer or a path put into a message must not forge a second line, nor move a terminal's cursor. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
}
