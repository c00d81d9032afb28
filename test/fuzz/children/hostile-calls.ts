// Calls everything that the addon exports with arguments that fit, nearly fit or do not fit at all, in a random order
// that comes again with its seed: `hostile-calls.js SEED CALLS main|worker [FOLDER]`. An outcome other than a value, a
// TypeError, a RangeError or an error with the kernel's errno ends it with status 1; a crash shows in how it ended.

import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { randomSource } from '../../support/random-source.js'
import { HostileArguments, PROVOKED } from './hostile-arguments.js'
import { HostileTargets } from './hostile-targets.js'

const [seed, calls, where, folder] = process.argv.slice(2)
/** Calls between two turns of the event loop: polls fire, handlers run, buffers are collected. */
const CALLS_A_TURN = 50
/** Calls between two garbage collections: what was forgotten goes while its neighbours are in use. */
const CALLS_A_COLLECTION = 500

/** Why what was thrown is not one of the errors that the addon may throw, or undefined. */
function fault(thrown: unknown): string | undefined {
  if (thrown === PROVOKED || thrown instanceof TypeError || thrown instanceof RangeError) return undefined
  if (!(thrown instanceof Error)) return `threw ${String(thrown)}`
  const { code, errno, syscall } = thrown as NodeJS.ErrnoException
  const shaped = /^E[A-Z0-9]+$/.test(code ?? '') && Number.isInteger(errno) && (errno ?? 0) > 0 && syscall !== undefined
  return shaped ? undefined : `threw ${thrown.name} ${thrown.message} with code ${code}`
}

async function run(): Promise<void> {
  const random = randomSource(Number(seed))
  const values = new HostileArguments(random, folder!)
  const targets = new HostileTargets(random, values)
  const unknown = targets.uncovered()
  if (unknown.length > 0) throw new Error(`not called by this test: ${unknown}`)
  process.on('uncaughtException', (thrown) => fail('a handler', fault(thrown)))
  for (let call = 0; call < Number(calls); call++) {
    if (call % CALLS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    if (call % CALLS_A_COLLECTION === 0) globalThis.gc!()
    const { what, perform } = targets.next()
    try {
      values.keep(perform())
    } catch (thrown) {
      fail(`call ${call}, ${what},`, fault(thrown))
    }
    values.settle()
  }
  values.release()
}

function fail(what: string, why: string | undefined): void {
  if (why === undefined) return
  process.stderr.write(`${what} ${why}\n`)
  process.exit(1)
}

if (where === 'worker' && isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2) })
  // A worker that has called everything is ended in the middle of its next round.
  worker.once('message', () => void worker.terminate())
} else {
  await run()
  if (!isMainThread) {
    parentPort!.postMessage('called')
    for (;;) await run()
  }
  process.exit(0)
}
