// Reaches the user's local hypervisor, and starts it when none runs. However many processes try at once, one starts
// it: who holds the lock may, and the lock passes on to the hypervisor, which holds it for as long as it lives.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CONTROL_SOCKET_NAME, LOCK_FILE_NAME } from '../../../protocol/local-control.js'
import { ConduitError, isConduitError } from '../../errors.js'
import { native, systemError } from '../../native.js'
import { prepareRuntimeDirectory } from './runtime-dir.js'

/** The descriptor under which the hypervisor inherits the lock. */
export const LOCK_FD = 3
/** EAGAIN: its queue of new connections is full. */
const NOBODY_THERE: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT', 'EAGAIN'])
const RETRY_MIN_MS = 3
const RETRY_SPREAD_MS = 12

/** The hypervisor's environment: nothing of its starter's but what a program needs. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'LANG', 'NODE_V8_COVERAGE', 'CONDUIT_ADDON', 'ELECTRON_RUN_AS_NODE']
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

/** Start one, unless somebody else is at it or one runs: resolves when there is a process, or rejects. */
async function launch(directory: string, entry: string): Promise<void> {
  const lock = openSync(join(directory, LOCK_FILE_NAME), 'a', 0o600)
  try {
    if (!native().tryLock(lock)) return
    // Own session, no stdio, cwd /: neither a shell that waits for `$(conduit-cat …)` nor a file system waits for it.
    const child = spawn(process.execPath, [entry, directory], {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', lock],
      cwd: '/',
      env: cleanEnvironment(),
    })
    child.unref()
    await once(child, 'spawn')
  } finally {
    closeSync(lock)
  }
}

/** A control socket whose listener is this user's. */
function connect(directory: string): number {
  const fd = native().unixConnect(join(directory, CONTROL_SOCKET_NAME))
  const { uid } = native().peerCredentials(fd)
  if (uid === process.getuid!()) return fd
  native().closeFd(fd)
  throw new ConduitError('EACCES', `the local hypervisor in ${directory} belongs to uid ${uid}`, {
    endpoint: directory,
    hint: 'set CONDUIT_RUNTIME_DIR to a folder of your own with mode 0700',
  })
}

/**
 * A connected control socket's descriptor.
 * @param entry path of the hypervisor's main module
 * @throws ConduitError ADDON_MISSING; RUNTIME_DIR; EMFILE; SUBSTRATE_UNAVAILABLE when `timeoutMs` is over; the signal's reason
 */
export async function reachHypervisor(
  directory: string,
  entry: string,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<number> {
  // Before anything is tried again: without the addon nothing helps.
  native()
  const deadline = performance.now() + options.timeoutMs
  let failure: ConduitError | undefined
  for (;;) {
    options.signal?.throwIfAborted()
    // Each time: it may have been removed meanwhile, and be another user's by now.
    prepareRuntimeDirectory(directory)
    try {
      return connect(directory)
    } catch (cause) {
      if (!NOBODY_THERE.has((cause as NodeJS.ErrnoException).code)) throw unavailable(cause, 'reach', directory)
      if (performance.now() > deadline) throw failure ?? unavailable(cause, 'wait for', directory)
    }
    try {
      await launch(directory, entry)
    } catch (cause) {
      // Without descriptors there is no use in trying until the deadline; anything else may pass.
      failure = unavailable(cause, 'start', directory)
      if (failure.code === 'EMFILE') throw failure
    }
    await pauseBeforeRetry()
  }
}

/** With jitter: a hundred processes that lost the same hypervisor must not come back in step. */
export function pauseBeforeRetry(): Promise<void> {
  return delay(RETRY_MIN_MS + Math.random() * RETRY_SPREAD_MS)
}

function unavailable(cause: unknown, tried: string, directory: string): ConduitError {
  if (isConduitError(cause)) return cause
  return systemError(cause, `${tried} the local hypervisor in ${directory}`, 'SUBSTRATE_UNAVAILABLE')
}
