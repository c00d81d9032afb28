// What tests inside the testbed's machine work with: the domain they are in, guests that they make from dom0, processes
// there and here, and the store. Only test/xen/inside uses it; docs/testbed.md shows how.
//
//   const guest = await Guest.create({ type: 'pvh' })               // in dom0 only; ready for commands when it resolves
//   const server = guest.spawn('vchan-hello server 0 data/hello')    // sh -c in the guest; stdin is /dev/null
//   await server.printed(/listening/)                                // an event, no pause
//   const client = here.spawn(`vchan-hello client ${guest.domid} /local/domain/${guest.domid}/data/hello hi`)
//   expect((await client.wait()).status).to.equal(0)
//   server.kill('SIGKILL')                                           // the whole session of the command
//   await guest.destroy()                                            // xl destroy; resolves when the domain has died
//   await guest.gone                                                 // however it died
//
// A guest has the file system of dom0: node, the project in /conduit, conduit-cat and C peers on the path. What a guest
// prints travels over its console at about 25 KB/s: have bulk data compared in there, and print the verdict.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { STORE_SOCKET } from '../../testbed/guest.js'
import { type CommandResult, RemoteProcess } from '../../testbed/remote-process.js'

export { Guest, type GuestOptions, type GuestType } from '../../testbed/guest.js'
export type { CommandResult, RemoteProcess } from '../../testbed/remote-process.js'

/** Which domain this test runs in. */
export const domainKind = process.env.CONDUIT_TESTBED_DOMAIN as 'dom0' | 'pv' | 'pvh'

/** Commands in this domain, with the face that a {@link Guest} has. */
export const here = {
  /** Run a shell's command to its end. */
  run(command: string): Promise<CommandResult> {
    return here.spawn(command).wait()
  },

  /** Start a shell's command. */
  spawn(command: string): RemoteProcess {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const signal = (number: number) => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, number)
    }
    const running = new RemoteProcess(command, signal, true)
    child.stdout.on('data', (bytes: Buffer) => running.deliver(bytes, 'stdout'))
    child.stderr.on('data', (bytes: Buffer) => running.deliver(bytes, 'stderr'))
    child.on('error', (error) => running.end(error))
    child.on('close', (code, name) => running.end(code ?? 128 + constants.signals[name!]))
    return running
  },
}

/** A connection to the live xenstored; in dom0 only, since guests have no socket of it. Close it. */
export function openStore(): Promise<XenstoreClient> {
  return XenstoreClient.open(unixSocketTransport(STORE_SOCKET))
}

/** Resolves with the node's value once it is there, by a watch; in dom0 only. */
export async function nodeAppears(store: XenstoreClient, path: string): Promise<string> {
  for await (const _ of store.watches(path)) {
    if (await store.exists(path)) return store.readText(path)
  }
  throw new Error(`the store ended before ${path} was there`)
}
