// The grammar of conduit-cat: options and subcommands, and what is wrong usage of them. What they do is elsewhere.
import { Command, CommanderError } from 'commander'
import { selectBackend } from '../substrate/select.js'
import { cat } from './cat.js'
import { catFar, type FarOptions, farAddress } from './cat-far.js'
import type { CatOptions } from './cat-options.js'
import { EXIT, exitStatus, failureLine } from './exit-status.js'
import { EXAMPLES, NOTES } from './help-text.js'
import { address, ringBytes, secondsAsMillis, spinMicros } from './option-values.js'
import { packageVersion } from './package-version.js'
import { addSubcommands } from './subcommands.js'
import { summarize } from './summary.js'
import { Traffic } from './traffic.js'
import { UsageError } from './usage-error.js'

interface RootOptions {
  listen?: true
  keepOpen?: true
  exec?: string
  timeout?: number
  zero?: true
  wait?: true
  ring?: number
  spin?: number
  meter?: true
  json?: true
  verbose?: true
}

/** Runs the arguments after `conduit-cat`; resolves with the exit status. Never throws. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let status: number = EXIT.OK
  const done = (exitStatus: number): void => {
    status = exitStatus
  }
  const program = buildProgram(done)
  try {
    await program.parseAsync(args, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.OK
    const failure = error instanceof CommanderError ? usageOf(error) : error
    const line = failureLine(failure)
    if (asksForSummary(program, args)) process.stderr.write(`${usageSummary(program, failure)}\n`)
    else if (line !== undefined) process.stderr.write(`conduit-cat: ${line}\n`)
    return exitStatus(failure)
  }
}

function buildProgram(done: (status: number) => void): Command {
  const program = new Command('conduit-cat')
    .description('netcat for conduits: finds a peer by name and moves bytes to and fro through shared memory')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .enablePositionalOptions()
    .version(packageVersion(), '--version', 'print the version')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .argument('[name]', 'the name to connect to or, with -l, to take connections under')
    .option('-l, --listen', 'take one connection, then end')
    .option('-k, --keep-open', 'with -l: go on taking connections')
    .option('-e, --exec <command>', 'run a shell command on each connection')
    .option('-w, --timeout <seconds>', 'give up after so long', secondsAsMillis)
    .option('-z, --zero', 'only shake hands, send nothing')
    .option('--wait', 'wait for the name to appear')
    .option('--ring <bytes>', 'bytes of each ring, 1024 to 1M', ringBytes)
    .option('--spin <micros>', 'microseconds to spin before sleeping, 0 for never', spinMicros)
    .option('--meter', 'show bytes/s, wake-ups/s and ring fill on stderr')
    .option('--json', 'print one summary object on stderr at the end')
    .option('-v, --verbose', 'say on stderr what happens')
    .hook('preAction', (root, command) => {
      checkBackend()
      if (command !== root) checkAlone(root, command.name())
    })
    .action(async (name: string | undefined, options: RootOptions) => {
      const far = name === undefined ? undefined : farAddress(name)
      done(far === undefined ? await cat(catOptions(name, options)) : await catFar(far, farOptions(options)))
    })
  addSubcommands(program, done)
  return program
}

/** What is no conduit by its address. @throws UsageError for what goes with conduits only */
function farOptions(options: RootOptions): FarOptions {
  const strange = (['listen', 'keepOpen', 'wait', 'ring', 'spin', 'meter', 'json'] as const).find(
    (option) => options[option] !== undefined,
  )
  if (strange !== undefined) {
    throw new UsageError(`${OPTION_NAMES[strange]} is for conduits; to listen elsewhere: conduit-cat bridge listen:… -`)
  }
  if (options.zero && options.exec !== undefined)
    throw new UsageError('-z sends nothing: there is nothing for -e to do')
  const { exec: command, timeout: waitMs, zero, verbose } = options
  return { command, waitMs, handshakeOnly: zero === true, verbose: verbose === true }
}

const OPTION_NAMES = {
  listen: '-l',
  keepOpen: '-k',
  wait: '--wait',
  ring: '--ring',
  spin: '--spin',
  meter: '--meter',
  json: '--json',
} as const

/** @throws UsageError for what cannot be meant together */
function catOptions(name: string | undefined, options: RootOptions): CatOptions {
  const listen = options.listen === true
  const refuse = (given: unknown, problem: string): void => {
    if (given !== undefined) throw new UsageError(problem)
  }
  if (name === undefined) throw new UsageError('which NAME?')
  if (!listen) refuse(options.keepOpen, '-k goes with -l')
  if (listen) {
    refuse(options.zero, '-z connects, -l listens: choose one')
    refuse(options.wait, '--wait is for connecting: -l waits for its clients anyway')
  }
  if (options.zero) refuse(options.exec, '-z sends nothing: there is nothing for -e to do')
  return {
    address: address(name),
    listen,
    keep: options.keepOpen === true,
    command: options.exec,
    waitMs: options.timeout,
    handshakeOnly: options.zero === true,
    waitForName: options.wait === true,
    ringBytes: options.ring,
    spinMicros: options.spin,
    meter: options.meter === true,
    json: options.json === true,
    verbose: options.verbose === true,
  }
}

/** @throws UsageError for `-l ls`, which means a name and would get a subcommand */
function checkAlone(root: Command, subcommand: string): void {
  if (Object.keys(root.opts()).length === 0) return
  throw new UsageError(
    `${subcommand} is a subcommand: its options come after it; a service of that name is vchan://${subcommand}`,
  )
}

/** @throws UsageError when CONDUIT_BACKEND names none */
function checkBackend(): void {
  try {
    selectBackend()
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** `--json` of the relay, not of a subcommand. Not the parsed options: what is wrong may stand before it. */
const asksForSummary = (program: Command, args: readonly string[]): boolean =>
  args.includes('--json') && !program.commands.some((command) => args.includes(command.name()))

function usageSummary(program: Command, failure: unknown): string {
  const role = program.opts<RootOptions>().listen ? 'listen' : 'connect'
  return JSON.stringify(
    summarize(new Traffic(), { name: null, role, seconds: 0, exitCode: exitStatus(failure), failure }),
  )
}

/** commander's own words, in one line of ours. */
const usageOf = (error: CommanderError): UsageError => new UsageError(error.message.replace(/^error: /, ''))
