// `npm run xen`: boots a machine, runs commands in dom0 and in a guest, and ends with their status.
import { constants } from 'node:os'
import { startInGuest } from './guest-program.js'
import { Machine } from './machine.js'
import { OutputRelay } from './output-relay.js'
import { HELP, parseRunOptions, type RunOptions, UsageError } from './run-options.js'
import { FAILED } from './run-status.js'
import { ended, statusOfTwo } from './running.js'

async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = parseRunOptions(argv)
    if (options === undefined) {
      process.stdout.write(HELP)
      return 0
    }
    if (options.shell && !process.stdin.isTTY) throw new UsageError('--shell needs a terminal; --dom0 takes a script')
    return await withMachine(options)
  } catch (error) {
    console.error(`testbed: ${(error as Error).message}`)
    if (error instanceof UsageError) console.error('testbed: npm run xen -- --help shows how')
    return FAILED
  }
}

const INTERRUPTIONS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Interrupted, it leaves nothing. */
async function withMachine(options: RunOptions): Promise<number> {
  const interruption = new AbortController()
  for (const signal of INTERRUPTIONS) process.on(signal, () => interruption.abort(signal))
  let machine: Machine | undefined
  try {
    machine = await Machine.boot({ ...options, signal: interruption.signal })
    return options.shell ? await shell(machine) : await commands(machine, options)
  } catch (error) {
    if (!interruption.signal.aborted) throw error
    return 128 + constants.signals[interruption.signal.reason as NodeJS.Signals]
  } finally {
    await machine?.stop()
  }
}

async function shell(machine: Machine): Promise<number> {
  const [rows, columns] = [process.stdout.rows || 24, process.stdout.columns || 80]
  const terminal = '/dev/hvc1'
  // The agent's child leads a session, so the first terminal that it opens controls it.
  const session = `exec <${terminal} >${terminal} 2>&1; stty rows ${rows} cols ${columns}; exec sh -i`
  return (await machine.dom0.run(`cd /root; export TERM=${process.env.TERM ?? 'linux'}; ${session}`)).status
}

async function commands(machine: Machine, options: RunOptions): Promise<number> {
  const two = options.dom0 !== undefined && options.domu !== undefined
  const guest = options.guest === undefined ? undefined : await startGuest(machine, options, new OutputRelay(two))
  if (options.dom0 === undefined) return ended(guest!)
  const environment = guest === undefined ? '' : `export GUEST_DOMID=${guest.domid}; `
  const relay = new OutputRelay(two)
  const process = machine.dom0.spawn(environment + options.dom0, { keep: false })
  relay.attach(process)
  const dom0 = { process, relay }
  if (!two) return ended(dom0)
  return statusOfTwo({ dom0, domu: guest! }, options.until)
}

async function startGuest(machine: Machine, { guest, memory, domu }: RunOptions, relay: OutputRelay) {
  const program = { type: guest!, memory, ...(domu === undefined ? {} : { command: domu }) }
  return { relay, ...(await startInGuest(machine, program, (bytes, stream) => relay.piece(bytes, stream))) }
}

process.exitCode = await main(process.argv.slice(2))
