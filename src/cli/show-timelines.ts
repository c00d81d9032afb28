// `jitsud timeline`: asks a running jitsud what happened when, and draws it in the terminal or as SVG.
import { writeFile } from 'node:fs/promises'
import { ConduitError } from '../errors.js'
import { parseTimelines } from '../jitsu/admin/status-schema.js'
import type { Timeline } from '../jitsu/timeline.js'
import { timelineSvg } from '../jitsu/timeline-svg.js'
import { timelineLines } from '../jitsu/timeline-text.js'
import { type AdminAddress, askAdmin } from './admin-client.js'
import { printLine } from './standard-output.js'

/** What `jitsud timeline` was asked for. */
export interface TimelineQuery {
  /** One service, with all its summons that are kept; the last summon of each where it is left out. */
  readonly name: string | undefined
  /** Where the picture goes; `-` is standard output. */
  readonly svg: string | undefined
  readonly json: boolean
}

/** @throws ConduitError as askAdmin(), ENOENT for a service that is not there, SYSTEM when the file cannot be written */
export async function showTimelines(address: AdminAddress, { name, svg, json }: TimelineQuery): Promise<void> {
  const query = name === undefined ? '' : `?name=${encodeURIComponent(name)}`
  const all = await askAdmin(address, `/timeline${query}`, parseTimelines)
  if (all === undefined) {
    throw new ConduitError('ENOENT', `jitsud has no service ${name}`, { hint: 'jitsud status shows those that it has' })
  }
  const timelines = name === undefined ? lastOfEach(all) : all
  if (svg !== undefined) return writeSvg(svg, timelineSvg(timelines))
  await printLine(json ? JSON.stringify(timelines) : drawn(timelines))
}

const lastOfEach = (timelines: readonly Timeline[]): Timeline[] => [
  ...new Map(timelines.map((timeline) => [timeline.service, timeline])).values(),
]

function drawn(timelines: readonly Timeline[]): string {
  if (timelines.length === 0) return 'no service was summoned yet'
  const columns = process.stdout.columns
  return timelines.map((timeline) => timelineLines(timeline, { columns }).join('\n')).join('\n\n')
}

async function writeSvg(file: string, picture: string): Promise<void> {
  if (file === '-') return printLine(picture.trimEnd())
  await writeFile(file, picture).catch((cause: NodeJS.ErrnoException) => {
    const { code: errno, syscall, message } = cause
    throw new ConduitError('SYSTEM', `the picture cannot be written: ${message}`, { errno, syscall, cause })
  })
}
