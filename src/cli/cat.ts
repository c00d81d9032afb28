// Runs `conduit-cat [-l] NAME` from options to exit status: environment, meter, the connections, and what is said at
// the end. How bytes move is relay.ts.
import { openEnvironment } from '../index.js'
import type { CatOptions } from './cat-options.js'
import { type CatSession, lazyStandardStreams } from './cat-session.js'
import { Diagnostics } from './diagnostics.js'
import { dial, shakeHands } from './dial.js'
import { exitStatus, failureLine } from './exit-status.js'
import { catchInterruption } from './interruption.js'
import { listen } from './listen.js'
import { Meter } from './meter.js'
import { showPagesOnSignal } from './page-on-signal.js'
import { summarize } from './summary.js'
import { Traffic } from './traffic.js'

/** Resolves with the exit status; has said by then why it is not 0. */
export async function cat(options: CatOptions): Promise<number> {
  const startMs = performance.now()
  const signal = catchInterruption()
  const diagnostics = new Diagnostics(process.stderr, options)
  const traffic = new Traffic()
  showPagesOnSignal(traffic, diagnostics, options.json)
  const meter = options.meter ? new Meter(traffic, diagnostics) : undefined
  let failure: unknown
  let exitCode: number
  try {
    exitCode = await work({ options, signal, diagnostics, traffic, local: lazyStandardStreams() })
  } catch (error) {
    failure = error
    exitCode = exitStatus(error)
  }
  meter?.stop()
  if (options.json) {
    const seconds = (performance.now() - startMs) / 1000
    const role = options.listen ? 'listen' : 'connect'
    const summary = summarize(traffic, { name: options.address, role, seconds, exitCode, failure })
    diagnostics.line(JSON.stringify(summary))
  } else if (failure !== undefined) {
    const line = failureLine(failure)
    if (line !== undefined) diagnostics.say(line)
  }
  return exitCode
}

async function work(parts: Omit<CatSession, 'conduit'>): Promise<number> {
  const conduit = await openEnvironment({ signal: parts.signal, attachTimeoutMs: parts.options.waitMs })
  try {
    const session = { ...parts, conduit }
    if (parts.options.listen) return await listen(session)
    return await (parts.options.handshakeOnly ? shakeHands(session) : dial(session))
  } finally {
    await conduit.close()
  }
}
