// The logger of jitsud: pino's JSON lines, or on a terminal the same as text. pino is an optional dependency, loaded here
// alone.
import { ConduitError } from '../errors.js'
import { logLine } from './log-text.js'
import type { LogFields, Logger, LogLevel } from './logger.js'

/** Where a logger writes to, and what. */
export interface PinoLoggerOptions {
  /** How much is logged. */
  readonly level: LogLevel
  /** Text for people, instead of JSON. */
  readonly pretty: boolean
  /** Colours in the text. */
  readonly colour?: boolean
  /** Takes whole lines; standard error by default. */
  readonly output?:
    | {
        /** With its line feed. */
        write(line: string): unknown
      }
    | undefined
  /** For tests. */
  readonly load?: (() => Promise<typeof import('pino')>) | undefined
}

const STANDARD_ERROR = 2
const HINT = 'npm install pino, beside conduit-vchan'

/** @throws ConduitError SYSTEM when pino is not installed */
export async function openLogger(options: PinoLoggerOptions): Promise<Logger> {
  const { level, pretty, colour = false, load = () => import('pino') } = options
  const { pino } = await load().catch((cause: unknown) => {
    throw new ConduitError('SYSTEM', `jitsud logs with pino, which does not load: ${(cause as Error).message}`, {
      hint: HINT,
      cause,
    })
  })
  const output = options.output ?? standardError(pino.destination)
  const stream = pretty ? { write: (line: string) => output.write(logLine(line, { colour })) } : output
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void stream.write(line) },
  )
  const at =
    (method: 'error' | 'warn' | 'info' | 'debug') =>
    (message: string, fields: LogFields = {}) =>
      log[method](fields, message)
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** Written at once, so that the last line before a crash is there. A reader that has gone silences it. */
function standardError(open: typeof import('pino').destination): { write(line: string): unknown } {
  const stream = open({ dest: STANDARD_ERROR, sync: true })
  stream.on('error', () => undefined)
  return stream
}
