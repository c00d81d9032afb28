// The grammar of conduit-registrar, and what is wrong usage of it. What it does is in serve-names.ts.
import { Command, CommanderError } from 'commander'
import type { Domid } from '../../protocol/xen.js'
import { EXIT, exitStatus, failureLine, Interrupted } from './exit-status.js'
import { reservation } from './option-values.js'
import { packageVersion } from './package-version.js'
import { REGISTRAR_EXAMPLES, REGISTRAR_NOTES } from './registrar-help-text.js'
import { serveNames } from './serve-names.js'
import { UsageError } from './usage-error.js'

const PROGRAM = 'conduit-registrar'

/** Runs the arguments after `conduit-registrar`; resolves with the exit status. Never throws. */
export async function runRegistrarCommandLine(args: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync(args, { from: 'user' })
    return EXIT.OK
  } catch (error) {
    // Being asked to end is how a service ends.
    if (error instanceof Interrupted) return EXIT.OK
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.OK
    const failure = error instanceof CommanderError ? new UsageError(error.message.replace(/^error: /, '')) : error
    process.stderr.write(`${PROGRAM}: ${failureLine(failure, PROGRAM)}\n`)
    return exitStatus(failure)
  }
}

function buildProgram(): Command {
  return new Command(PROGRAM)
    .description('gives out the names under which Xen domains reach each other; runs in dom0')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .version(packageVersion(), '--version', 'print the version')
    .addHelpText('before', REGISTRAR_EXAMPLES)
    .addHelpText('after', REGISTRAR_NOTES)
    .option('--reserve <name=domid>', 'keep a name for one domain; may be repeated', reserve)
    .action(async ({ reserve: reserved }: { reserve?: ReadonlyMap<string, Domid> }) => {
      await serveNames({ reserved: reserved ?? new Map() })
    })
}

/** @throws InvalidArgumentError, UsageError */
function reserve(text: string, before: ReadonlyMap<string, Domid> = new Map()): ReadonlyMap<string, Domid> {
  const { name, domid } = reservation(text)
  if (before.has(name)) throw new UsageError(`${name} is reserved twice: a name has one domain`)
  return new Map(before).set(name, domid)
}
