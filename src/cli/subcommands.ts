// The subcommands of conduit-cat as commander sees them; each is a file of its own. Their results go to stdout.
import type { Command } from 'commander'
import { bridge } from './bridge.js'
import { parseBridgeAddress } from './bridge-address.js'
import { demo } from './demo.js'
import { Diagnostics } from './diagnostics.js'
import { diagnose, diagnosisLines } from './doctor.js'
import { EXIT } from './exit-status.js'
import { BRIDGE_ADDRESSES } from './help-text.js'
import { inspect } from './inspect.js'
import { catchInterruption } from './interruption.js'
import { ls } from './ls.js'
import { address, count, demoBytes, payloadBytes, ringBytes, secondsAsMillis, spinMicros } from './option-values.js'
import { ping } from './ping.js'
import { resolve } from './resolve.js'
import { printLine } from './standard-output.js'
import { UsageError } from './usage-error.js'

const PING_COUNT = 10
const PING_PAYLOAD_BYTES = 64
const DEMO_BYTES = 256 * 1024 ** 2

interface CommonOptions {
  json?: true
  timeout?: number
}

export function addSubcommands(program: Command, done: (status: number) => void): void {
  const json = ['--json', 'print JSON'] as const
  const timeout = ['-w, --timeout <seconds>', 'give up after so long', secondsAsMillis] as const
  program
    .command('ls')
    .description('list names and open connections')
    .option(...json)
    .action(async (options: CommonOptions) => {
      await printLine(await ls({ json: options.json === true }))
    })
  program
    .command('ping <name>')
    .description('measure handshakes or, with --echo, round trips through a peer that sends back what it gets')
    .option('-c, --count <n>', 'how many', count, PING_COUNT)
    .option('--echo', 'round trips over one connection')
    .option('-s, --size <bytes>', 'payload of a round trip', payloadBytes, PING_PAYLOAD_BYTES)
    .option('--spin <micros>', 'microseconds to spin before sleeping, 0 for never', spinMicros)
    .option(...timeout)
    .option(...json)
    .action(async (name: string, options: PingFlags) => {
      await ping(pingOptions(name, options), printLine)
    })
  program
    .command('inspect <name>')
    .description('connect, and show the control page of that connection')
    .option('--ring <bytes>', 'bytes of each ring, 1024 to 1M', ringBytes)
    .option(...timeout)
    .option(...json)
    .action(async (name: string, { json, timeout: waitMs, ring }: CommonOptions & { ring?: number }) => {
      await printLine(await inspect({ address: address(name), json: json === true, waitMs, ringBytes: ring }))
    })
  program
    .command('resolve <name>')
    .description('show where a name or URI leads, each step with its time; connects to nothing')
    .option('--dns <servers>', 'ask these: ADDR, ADDR:PORT or [V6]:PORT, commas between (or CONDUIT_DNS)')
    .option(...timeout)
    .option(...json)
    .action(async (name: string, { json, timeout: waitMs, dns }: CommonOptions & { dns?: string }) => {
      const servers = dns === undefined ? [] : dns.split(',').map((server) => server.trim())
      await resolve({ address: name, json: json === true, waitMs, servers }, printLine)
    })
  program
    .command('bridge <left> <right>')
    .description('relay between two addresses of any kind; many connections where the left one listens')
    .addHelpText('after', BRIDGE_ADDRESSES)
    .option('-v, --verbose', 'say on stderr what happens')
    .option(...timeout)
    .action(async (left: string, right: string, flags: CommonOptions & { verbose?: true }) => {
      done(await bridge(bridgeOptions(left, right, flags)))
    })
  program
    .command('doctor')
    .description('check what conduits need on this machine; status 0 when the chosen backend works')
    .option(...json)
    .action(async ({ json }: CommonOptions) => {
      const diagnosis = await diagnose()
      await printLine(json ? JSON.stringify(diagnosis) : diagnosisLines(diagnosis).join('\n'))
      done(diagnosis.works ? EXIT.OK : EXIT.FAILED)
    })
  program
    .command('demo')
    .description('move a file between two processes and show the connection meanwhile')
    .option('--size <bytes>', 'of the file, 1M to 64G', demoBytes, DEMO_BYTES)
    .action(async ({ size }: { size: number }) => {
      await demo({ bytes: size }, printLine)
    })
}

/** @throws UsageError */
function bridgeOptions(
  leftText: string,
  rightText: string,
  { timeout: timeoutMs, verbose }: CommonOptions & { verbose?: true },
): Parameters<typeof bridge>[0] {
  const left = parseBridgeAddress(leftText)
  const right = parseBridgeAddress(rightText)
  if (right.kind === 'listen-tcp' || right.kind === 'listen-unix' || right.kind === 'listen-conduit') {
    throw new UsageError('the left address may listen, the right one is connected to')
  }
  if (left.kind === 'stdio' && right.kind === 'stdio') throw new UsageError('- can be one of the addresses only')
  const diagnostics = new Diagnostics(process.stderr, { verbose })
  return { left, right, timeoutMs, diagnostics, signal: catchInterruption() }
}

interface PingFlags extends CommonOptions {
  count: number
  size: number
  echo?: true
  spin?: number
}

const pingOptions = (name: string, options: PingFlags): Parameters<typeof ping>[0] => ({
  address: address(name),
  count: options.count,
  echo: options.echo === true,
  payloadBytes: options.size,
  json: options.json === true,
  waitMs: options.timeout,
  spinMicros: options.spin,
})
