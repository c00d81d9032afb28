// What `doctor` looks at for the local backend: the runtime directory, the hypervisor, and a connection to oneself
// through all of it.
import { once } from 'node:events'
import { lstatSync } from 'node:fs'
import { type ConduitSocket, openEnvironment } from '../index.js'
import { chooseRuntimeDirectory, prepareRuntimeDirectory } from '../substrate/local/runtime-dir.js'
import type { Check } from './doctor-check.js'
import { formatMillis } from './quantity.js'
import { openLocalStore, readView } from './store-view.js'

const TRIAL_TIMEOUT_MS = 15_000

export function runtimeDirectoryCheck(): Check {
  const { directory, reason } = chooseRuntimeDirectory()
  prepareRuntimeDirectory(directory)
  const mode = (lstatSync(directory).mode & 0o777).toString(8).padStart(4, '0')
  return { name: 'runtime directory', state: 'ok', text: `${directory}, mode ${mode} (${reason})` }
}

export async function hypervisorCheck(): Promise<Check> {
  const store = await openLocalStore()
  if (store === undefined) {
    return { name: 'local hypervisor', state: 'ok', text: 'not running: the first program that needs it starts it' }
  }
  store.ref()
  try {
    const { names, flows } = await readView(store)
    const text = `running: ${names.length} names, ${flows.length} open connections`
    return { name: 'local hypervisor', state: 'ok', text }
  } finally {
    store.unref()
    await store.close()
  }
}

/** A name, a connection to it and a byte back: everything that a program would use. */
export async function channelCheck(): Promise<Check> {
  const signal = AbortSignal.timeout(TRIAL_TIMEOUT_MS)
  const startMs = performance.now()
  await using conduit = await openEnvironment({ signal })
  const name = `doctor-${process.pid}`
  await using server = conduit.createServer((socket: ConduitSocket) => socket.pipe(socket))
  await server.listen(name, { signal })
  const socket = await conduit.connect(name, { signal })
  socket.end('?')
  const chunks = await socket.toArray({ signal })
  if (!socket.closed) await once(socket, 'close')
  if (Buffer.concat(chunks).toString() !== '?') throw new Error('the byte that came back is another one')
  const text = `registered ${name}, connected and echoed as domain ${conduit.domid} in ${formatMillis(performance.now() - startMs)}`
  return { name: 'channel', state: 'ok', text }
}
