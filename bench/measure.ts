// One measurement: two fresh processes in a runtime directory of their own, from fork to exit, bounded in time.
// A process that fails or hangs fails the measurement; nothing is tried again.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Instruction, Job, Metrics, Report } from './job.js'

const PARTICIPANT = fileURLToPath(new URL('./participant.js', import.meta.url))
/** For starting, connecting and what counts instead of lasting; far more than any of that takes. */
const PATIENCE_MS = 30_000
const GOODBYE_MS = 3000

/** @throws Error with what went wrong, and where. */
export async function measure(job: Job): Promise<Metrics> {
  const directory = mkdtempSync(join(tmpdir(), 'conduit-bench-'))
  const server = start(directory)
  const client = start(directory)
  try {
    return await metricsOf(job, server, client)
  } finally {
    await Promise.all([leave(server), leave(client)])
    rmSync(directory, { recursive: true, force: true })
  }
}

function start(directory: string): ChildProcess {
  const env = { ...process.env, CONDUIT_RUNTIME_DIR: directory, CONDUIT_BACKEND: 'local' }
  return fork(PARTICIPANT, {
    env,
    execArgv: ['--expose-gc', ...profiling()],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

/** `CONDUIT_BENCH_PROFILE=DIR` leaves a CPU profile of each process there. */
function profiling(): string[] {
  const directory = process.env.CONDUIT_BENCH_PROFILE
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`]
}

function metricsOf(job: Job, server: ChildProcess, client: ChildProcess): Promise<Metrics> {
  return new Promise((resolve, reject) => {
    const limitMs = job.warmUpMs + job.measureMs + PATIENCE_MS
    const timer = setTimeout(() => reject(new Error(`nothing came of it within ${limitMs} ms`)), limitMs)
    const settle = (reason: Error | undefined, metrics: Metrics = {}): void => {
      clearTimeout(timer)
      if (reason === undefined) resolve(metrics)
      else reject(reason)
    }
    const follow = (who: string, child: ChildProcess, other: ChildProcess): void => {
      child.on('error', (error) => settle(error))
      child.on('exit', (code, signal) => settle(new Error(`the ${who} left with ${signal ?? code}`)))
      child.on('message', (report: Report) => {
        if (report.kind === 'serving') instruct(client, { kind: 'measure', job, address: report.address })
        else if (report.kind === 'tell') instruct(other, { kind: 'heard', text: report.text })
        else if (report.kind === 'measured') settle(undefined, report.metrics)
        else settle(new Error(`the ${who} failed: ${report.reason}`))
      })
    }
    follow('server', server, client)
    follow('client', client, server)
    instruct(server, { kind: 'serve', job })
  })
}

function instruct(child: ChildProcess, instruction: Instruction): void {
  if (child.connected) child.send(instruction)
}

/** A process leaves when its channel closes; one that hangs is killed. */
async function leave(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), GOODBYE_MS)
  await exited
  clearTimeout(timer)
}
