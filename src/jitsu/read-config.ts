// From a file, or the text of one, to jitsud's configuration.
import { readFile } from 'node:fs/promises'
import { type JitsudConfig, parseJitsudConfig } from '../../protocol/jitsud-config.js'
import { ConduitError } from '../errors.js'

/** Faults that are listed; the rest are counted. */
const FAULTS_SHOWN = 8

/**
 * The configuration in a JSON file.
 * @throws ConduitError CONFIG with the path of each wrong key and what is accepted there, or why the file cannot be read
 */
export async function readConfig(file: string): Promise<JitsudConfig> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    const { code, syscall, message } = cause as NodeJS.ErrnoException
    throw new ConduitError('CONFIG', `${file} cannot be read: ${message}`, {
      errno: code,
      syscall,
      endpoint: file,
      hint: 'name a file that this user may read: jitsud --config FILE',
      cause,
    })
  }
  return configFromText(text, file)
}

/** As {@link readConfig}. `file` is for messages. */
export function configFromText(text: string, file: string): JitsudConfig {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ConduitError('CONFIG', `${file} is no JSON: ${(cause as Error).message}`, {
      endpoint: file,
      hint: 'JSON has no comments, and no comma after the last element',
      cause,
    })
  }
  return checkedConfig(value, file)
}

/** As {@link readConfig}, of a value that is there already. */
export function checkedConfig(value: unknown, file: string): JitsudConfig {
  const parsed = parseJitsudConfig(value)
  if (parsed.ok) return parsed.config
  const { faults } = parsed
  const shown = faults.slice(0, FAULTS_SHOWN)
  const more = faults.length > shown.length ? [`and ${faults.length - shown.length} more`] : []
  const problems = shown.map(({ path, problem }) => (path === '' ? problem : `${path}: ${problem}`))
  const hints = shown.map(({ path, accepted }) => `${path === '' ? 'the configuration' : path} takes ${accepted}`)
  throw new ConduitError('CONFIG', `${file}: ${[...problems, ...more].join('; ')}`, {
    endpoint: file,
    hint: hints.join('; '),
  })
}
