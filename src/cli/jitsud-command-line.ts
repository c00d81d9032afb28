// The grammar of jitsud, and what is wrong usage of it. What it does is in serve-services.ts and the subcommands' files.
import { Command, CommanderError } from 'commander'
import { isConduitError } from '../errors.js'
import type { LogLevel } from '../jitsu/logger.js'
import { readConfig } from '../jitsu/read-config.js'
import type { AdminAddress } from './admin-client.js'
import { checkConfig } from './check-config.js'
import { EXIT, exitStatus, failureLine, Interrupted } from './exit-status.js'
import { jitsuConfig, splitJitsuArguments } from './jitsu-arguments.js'
import { JITSUD_EXAMPLES, JITSUD_NOTES } from './jitsud-help-text.js'
import {
  adminAddress,
  adminAddressOf,
  type LogFormat,
  logFormat,
  logLevel,
  type OnExit,
  onExit,
} from './jitsud-options.js'
import { packageVersion } from './package-version.js'
import { serveServices } from './serve-services.js'
import { showStatus } from './show-status.js'
import { showTimelines } from './show-timelines.js'
import { UsageError } from './usage-error.js'

const PROGRAM = 'jitsud'
const SUBCOMMANDS = ['check', 'status', 'timeline', 'help']

interface ServeOptions {
  config?: string
  logLevel: LogLevel
  logFormat: LogFormat
  onExit: OnExit
}

interface AskOptions {
  admin?: AdminAddress
  config?: string
  json?: true
}

/** Runs the arguments after `jitsud`; resolves with the exit status. Never throws. */
export async function runJitsudCommandLine(args: readonly string[]): Promise<number> {
  try {
    const { own, jitsu } = splitJitsuArguments(args, SUBCOMMANDS)
    await buildProgram(jitsu).parseAsync(own, { from: 'user' })
    return EXIT.OK
  } catch (error) {
    // Being asked to end is how a service ends.
    if (error instanceof Interrupted && error.signal !== 'SIGPIPE') return EXIT.OK
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.OK
    const failure = error instanceof CommanderError ? new UsageError(error.message.replace(/^error: /, '')) : error
    const line = failureLine(failure, PROGRAM)
    if (line !== undefined) process.stderr.write(`${PROGRAM}: ${line}\n`)
    // A wrong configuration does not mend itself: who starts jitsud again must not try.
    return isConduitError(failure, 'CONFIG') ? EXIT.USAGE : exitStatus(failure)
  }
}

/** @param jitsu the arguments that are Jitsu's, instead of a configuration */
function buildProgram(jitsu: readonly string[]): Command {
  const program = new Command(PROGRAM)
    .description('boots services the moment somebody asks for their names, and answers for them in DNS')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .enablePositionalOptions()
    .version(packageVersion(), '--version', 'print the version')
    .addHelpText('before', JITSUD_EXAMPLES)
    .addHelpText('after', JITSUD_NOTES)
    .option('--config <file>', 'the configuration, JSON')
    .option('--log-level <level>', 'silent, error, warn, info or debug', logLevel, 'info' as const)
    .option('--log-format <format>', 'json, text, or auto: text on a terminal', logFormat, 'auto' as const)
    .option('--on-exit <what>', 'with what runs: default, stop or leave', onExit, 'default' as const)
    .action(async ({ config: file, ...options }: ServeOptions) => {
      if (file !== undefined) await serveServices({ ...options, read: () => readConfig(file), file })
      if (jitsu.length === 0) throw new UsageError('which configuration? --config FILE')
      const config = jitsuConfig(jitsu)
      await serveServices({ ...options, read: async () => config, file: undefined })
    })
  addSubcommands(program)
  return program
}

function addSubcommands(program: Command): void {
  const config = ['--config <file>', 'the configuration, which has the admin address'] as const
  const admin = ['--admin <address:port>', 'where jitsud is asked', adminAddress] as const
  const json = ['--json', 'print JSON'] as const
  program
    .command('check')
    .description('say what is wrong with a configuration; status 0 when nothing is')
    .requiredOption('--config <file>', 'the configuration, JSON')
    .action(async ({ config }: { config: string }) => {
      await checkConfig(config)
    })
  program
    .command('status')
    .description('show services and their states')
    .option(...json)
    .option(...admin)
    .option(...config)
    .action(async (options: AskOptions) => {
      await showStatus(await adminAddressOf(options), { json: options.json === true })
    })
  program
    .command('timeline [name]')
    .description('show what happened when: in the last summons of a service, or in the last one of each')
    .option('--svg <file>', 'as a picture; - for standard output')
    .option(...json)
    .option(...admin)
    .option(...config)
    .action(async (name: string | undefined, options: AskOptions & { svg?: string }) => {
      const { svg, json } = options
      if (svg !== undefined && json) throw new UsageError('--svg draws, --json does not: choose one')
      await showTimelines(await adminAddressOf(options), { name, svg, json: json === true })
    })
}
