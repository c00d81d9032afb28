// A line of the JSON log as text for a terminal.
import { printable } from './timeline-phases.js'

/** Terminals' colours by level (ECMA-48, SGR). */
const COLOURS: Record<string, string> = { error: '31', warn: '33', info: '32', debug: '90' }
const LEVEL_WIDTH = 5
/** Where the time of day stands in an ISO 8601 timestamp. */
const TIME_OF_DAY = [11, 23] as const

/**
 * `12:41:03.250 info  www is ready tookMs=43`, with a line break.
 * @param line one object that pino wrote
 */
export function logLine(line: string, { colour = false }: { readonly colour?: boolean } = {}): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: string; time: string; msg: string }
  const word = level.padEnd(LEVEL_WIDTH)
  const shown = colour ? `\u001b[${COLOURS[level]}m${word}\u001b[0m` : word
  const details = Object.entries(fields).map(([key, value]) => `${printable(key)}=${valueText(value)}`)
  return `${[time.slice(...TIME_OF_DAY), shown, printable(msg), ...details].join(' ')}\n`
}

/** Bare where it is one word, as JSON otherwise. */
function valueText(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/@%+-]+$/.test(value)) return value
  return printable(JSON.stringify(value))
}
