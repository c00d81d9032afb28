// `conduit-cat demo`, which `npm start` runs: a listener and a client in two processes, found by name, move a file; its
// SHA-256 is compared, and the flow table and the control page of that very flow are shown half-way. Then a service is summoned.
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConduitError } from '../index.js'
import { hashFile, writeRandomFile } from './demo-file.js'
import { FlowLook } from './demo-flow.js'
import { DemoProcess } from './demo-process.js'
import { demoSummon } from './demo-summon.js'
import { catchInterruption } from './interruption.js'
import { formatBytes, formatRate } from './quantity.js'
import type { Summary } from './summary.js'

export interface DemoOptions {
  readonly bytes: number
}

/** Prints one line of progress. */
export type Say = (text: string) => Promise<void>

const NAME = 'backup'

/**
 * @param say gets each line for stdout
 * @throws ConduitError when a process fails or the hashes differ; errno errors of the files; the signal's reason
 */
export async function demo({ bytes }: DemoOptions, say: Say): Promise<void> {
  const signal = catchInterruption()
  const directory = mkdtempSync(join(tmpdir(), 'conduit-demo-'))
  const running: DemoProcess[] = []
  try {
    await moveFile({ directory, bytes, running, signal }, say)
    await demoSummon({ runtimeDir: join(directory, 'run'), signal }, say)
  } finally {
    await Promise.all(running.map((one) => one.stop()))
    rmSync(directory, { recursive: true, force: true })
  }
}

interface DemoRun {
  readonly directory: string
  readonly bytes: number
  readonly running: DemoProcess[]
  readonly signal: AbortSignal
}

async function moveFile(run: DemoRun, say: Say): Promise<void> {
  const { directory, bytes, signal } = run
  const [sent, received] = [join(directory, 'sent'), join(directory, 'received')]
  await say(`1. ${formatBytes(bytes)} of pseudo-random bytes, written to ${sent}`)
  const sentHash = await writeRandomFile(sent, bytes, signal)
  await say(`   SHA-256 ${sentHash}`)
  const { seconds, heldSeconds } = await untilInterrupted(transfer(run, { sent, received }, say), signal)
  const moving = seconds - heldSeconds
  await say('4. both processes have ended with status 0')
  await say(`   ${formatBytes(bytes)} in ${moving.toFixed(2)} s, connecting included: ${formatRate(bytes, moving)}`)
  const receivedHash = await hashFile(received, signal)
  await say(`5. SHA-256 ${receivedHash} of what was received`)
  if (receivedHash !== sentHash) {
    throw new ConduitError('SYSTEM', `demo: the received file has SHA-256 ${receivedHash}, not ${sentHash}`)
  }
  await say('   the same: every byte has arrived')
}

interface Files {
  readonly sent: string
  readonly received: string
}

async function transfer(
  { directory, running }: DemoRun,
  { sent, received }: Files,
  say: Say,
): Promise<{ seconds: number; heldSeconds: number }> {
  const start = (args: string[], path: string, direction: 'stdin' | 'stdout'): DemoProcess => {
    const fd = openSync(path, direction === 'stdin' ? 'r' : 'wx', 0o600)
    const streams = { stdin: 'ignore', stdout: 'ignore', [direction]: fd } as const
    const started = new DemoProcess(args, { runtimeDir: join(directory, 'run'), ...streams })
    closeSync(fd)
    running.push(started)
    return started
  }
  await say(`2. a listener: conduit-cat -l ${NAME} > ${received}`)
  const listener = start(['-v', '-l', NAME], received, 'stdout')
  const ready = await listener.nextLine((line) => line.includes('listening'))
  if (ready === undefined) await listener.success()
  await using look = await FlowLook.open(join(directory, 'run'))
  await say(`3. a client: conduit-cat ${NAME} < ${sent}`)
  const client = start(['--json', NAME], sent, 'stdin')
  const heldSeconds = await look.show({ listener, client }, say)
  const [summary] = await Promise.all([client.success(), listener.success()])
  return { seconds: (JSON.parse(summary) as Summary).seconds, heldSeconds }
}

/** `work`, or a rejection with the signal's reason; what still runs is stopped by the caller. */
function untilInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}
