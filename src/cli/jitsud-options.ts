// The options of jitsud that are not the configuration's: how it logs, what it leaves behind, where a running one is asked.
import { InvalidArgumentError } from 'commander'
import { parseSocketAddress } from '../../protocol/jitsud-hold-config.js'
import { LOG_LEVELS, type LogLevel } from '../jitsu/logger.js'
import { readConfig } from '../jitsu/read-config.js'
import type { AdminAddress } from './admin-client.js'
import { UsageError } from './usage-error.js'

/** What a jitsud that ends does with what runs: `default` stops programs and leaves guests. */
export const ON_EXIT = ['default', 'stop', 'leave'] as const
export type OnExit = (typeof ON_EXIT)[number]

export const LOG_FORMATS = ['auto', 'json', 'text'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Where the examples of the guide put the admin address. */
const USUAL_ADMIN: AdminAddress = { host: '127.0.0.1', port: 9180 }

/** One of a few words, for commander. */
const oneOf =
  <const Words extends readonly string[]>(words: Words) =>
  (text: string): Words[number] => {
    if (words.includes(text)) return text
    throw new InvalidArgumentError(`it is ${words.slice(0, -1).join(', ')} or ${words.at(-1)}.`)
  }

export const logLevel: (text: string) => LogLevel = oneOf(LOG_LEVELS)
export const logFormat: (text: string) => LogFormat = oneOf(LOG_FORMATS)
export const onExit: (text: string) => OnExit = oneOf(ON_EXIT)

/** `ADDRESS:PORT`, for commander. */
export function adminAddress(text: string): AdminAddress {
  const parsed = parseSocketAddress(text)
  if (parsed !== undefined && parsed.port > 0) return parsed
  throw new InvalidArgumentError('it is ADDRESS:PORT with an IP address, as 127.0.0.1:9180 or [::1]:9180.')
}

/**
 * Where a running jitsud is asked: as given, else as its configuration says, else by JITSUD_ADMIN, else where it usually is.
 * @throws UsageError; ConduitError CONFIG
 */
export async function adminAddressOf({
  admin,
  config,
}: {
  admin?: AdminAddress
  config?: string
}): Promise<AdminAddress> {
  if (admin !== undefined) return admin
  if (config !== undefined) {
    const { admin: configured } = await readConfig(config)
    if (configured === undefined) throw new UsageError(`${config} has no admin address: add "admin", or give --admin`)
    return parsedOr(configured.listen, `${config} lets the kernel choose the port: give --admin`)
  }
  const { JITSUD_ADMIN: environment } = process.env
  return environment ? parsedOr(environment, 'JITSUD_ADMIN is ADDRESS:PORT') : USUAL_ADMIN
}

function parsedOr(text: string, problem: string): AdminAddress {
  const parsed = parseSocketAddress(text)
  if (parsed !== undefined && parsed.port > 0) return parsed
  throw new UsageError(problem)
}
