// Reaches the user's local hypervisor, and starts it when none runs. However many processes try at once, one starts
// it: who holds the lock may, and the lock passes on to the hypervisor, which holds it for as long as it lives.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CONTROL_SOCKET_NAME, LOCK_FILE_NAME } from '../../../protocol/local-control.js'
import { native, systemError } from '../../native.js'

/** The descriptor under which the hypervisor inherits the lock. */
export const LOCK_FD = 3
const RETRY_MIN_MS = 3
const RETRY_SPREAD_MS = 12

/** The hypervisor's environment: nothing of its starter's but what a program needs. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'LANG', 'NODE_V8_COVERAGE', 'CONDUIT_ADDON', 'ELECTRON_RUN_AS_NODE']
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

function launch(directory: string, entry: string): void {
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
    child.on('error', () => {}) // No process to be had: the caller's attempts end with its deadline.
    child.unref()
  } finally {
    closeSync(lock)
  }
}

/**
 * A connected control socket's descriptor.
 * @param entry path of the hypervisor's main module
 * @throws ConduitError SUBSTRATE_UNAVAILABLE when `timeoutMs` is over, ADDON_MISSING; the signal's reason when it aborts
 */
export async function reachHypervisor(
  directory: string,
  entry: string,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<number> {
  const addon = native()
  const deadline = performance.now() + options.timeoutMs
  for (;;) {
    options.signal?.throwIfAborted()
    try {
      return addon.unixConnect(join(directory, CONTROL_SOCKET_NAME))
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      // EAGAIN: its queue of new connections is full; try again. The others: nobody is there.
      if (code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'EAGAIN') {
        throw systemError(cause, `reach the local hypervisor in ${directory}`, 'SUBSTRATE_UNAVAILABLE')
      }
      if (performance.now() > deadline) {
        throw systemError(cause, `local hypervisor in ${directory} does not answer`, 'SUBSTRATE_UNAVAILABLE')
      }
      if (code !== 'EAGAIN') launch(directory, entry)
    }
    // Jitter: a hundred processes that lost the same hypervisor must not come back in step.
    await delay(RETRY_MIN_MS + Math.random() * RETRY_SPREAD_MS)
  }
}
