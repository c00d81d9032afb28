// Debian's own xenstored (C) and oxenstored (OCaml), run on a plain machine, with domains for whoever has to test
// against guests' rights.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Domid, domid } from '../../protocol/xen.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import type { OpenXenstoreTransport } from '../../src/xenstore/transport.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { debianTree } from '../debian-packages.js'
import { GuestStore } from './guest-store.js'
import { PlainMachine } from './machine.js'
import { buildPreload } from './preload.js'

const PACKAGES = [
  'xen-utils-4.17',
  'xen-utils-common',
  'libxen-dev',
  'libxenmisc4.17',
  'libxencall1',
  'libxendevicemodel1',
  'libxenevtchn1',
  'libxenforeignmemory1',
  'libxengnttab1',
  'libxentoolcore1',
  'libxentoollog1',
]

export type StoreDaemonName = 'xenstored' | 'oxenstored'

/** The two programs with what they need. */
export interface StoreDaemonPrograms {
  readonly folder: string
  readonly libraries: string
  readonly preload: string
  /** oxenstored's, as the package ships it. */
  readonly configuration: string
}

/** The programs, or why they cannot be had. */
export function findStoreDaemons(): StoreDaemonPrograms | string {
  const tree = debianTree('store-daemons', PACKAGES)
  if (typeof tree === 'string') return `xenstored and oxenstored needed: ${tree}`
  const preload = buildPreload(join(tree.root, 'usr', 'include'))
  if (typeof preload !== 'string') return preload.problem
  return {
    folder: join(tree.root, 'usr', 'lib', 'xen-4.17', 'bin'),
    libraries: tree.libraries,
    preload,
    configuration: join(tree.root, 'etc', 'xen', 'oxenstored.conf'),
  }
}

export class StoreDaemon {
  readonly machine: PlainMachine
  readonly #process: ChildProcess
  readonly #guests = new Map<Domid, GuestStore>()
  /** The toolstack's connection. */
  readonly #dom0: XenstoreClient

  private constructor(machine: PlainMachine, process: ChildProcess, dom0: XenstoreClient) {
    this.machine = machine
    this.#process = process
    this.#dom0 = dom0
  }

  /** Resolves when it answers. */
  static async start(programs: StoreDaemonPrograms, name: StoreDaemonName): Promise<StoreDaemon> {
    const machine = await PlainMachine.start()
    const daemon = launch(programs, name, machine)
    try {
      await Promise.race([machine.listening, itsEnd(daemon, name)])
      const dom0 = await XenstoreClient.open(unixSocketTransport(machine.storeSocket), { reconnect: false })
      await dom0.exists('/')
      return new StoreDaemon(machine, daemon, dom0)
    } catch (error) {
      await stop(daemon)
      machine.close()
      throw error
    }
  }

  /** Where domain 0's programs find it: XENSTORED_PATH. */
  get socket(): string {
    return this.machine.storeSocket
  }

  /** With the rights of `domid`: domain 0 through the socket, a guest through its ring. */
  connect(id: Domid): OpenXenstoreTransport {
    if (id === 0) return unixSocketTransport(this.machine.storeSocket)
    return async () => {
      const guest = this.#guests.get(id)
      if (guest === undefined) throw new Error(`no domain ${id}`)
      return guest.open()
    }
  }

  /** A domain as libxl makes it: its directory, its number, its data, its ring (libxl_create.c). Does nothing for one that lives. */
  async introduce(id: Domid): Promise<void> {
    if (this.#guests.has(id)) return
    const base = `/local/domain/${id}`
    const { gfn, port } = this.machine.createDomain(id)
    this.#guests.set(id, new GuestStore(this.machine.ring(id)))
    await this.#dom0.mkdir(base)
    await this.#dom0.setPermissions(base, [
      { access: 'n', domid: domid(0) },
      { access: 'r', domid: id },
    ])
    await this.#dom0.write(`${base}/domid`, String(id))
    await this.#dom0.mkdir(`${base}/data`)
    await this.#dom0.setPermissions(`${base}/data`, [{ access: 'n', domid: id }])
    await this.#dom0.introduce(id, gfn, port)
  }

  /** A domain's end as libxl makes it: its directory goes first (libxl_domain.c). Resolves when the daemon knows. */
  async kill(id: Domid): Promise<void> {
    await this.#dom0.remove(`/local/domain/${id}`)
    const known = this.#released(id)
    this.machine.destroyDomain(id)
    this.#guests.delete(id)
    await known
  }

  async close(): Promise<void> {
    await this.#dom0.close()
    await stop(this.#process)
    this.machine.close()
  }

  async #released(id: Domid): Promise<void> {
    for await (const _ of this.#dom0.watches('@releaseDomain')) {
      if (!(await this.#dom0.isDomainIntroduced(id))) return
    }
  }
}

function launch(programs: StoreDaemonPrograms, name: StoreDaemonName, machine: PlainMachine): ChildProcess {
  // Without -D, which would leave domain 0 out.
  const args = name === 'xenstored' ? ['-N'] : ['--no-fork', '--config-file', programs.configuration]
  return spawn(join(programs.folder, name), args, {
    cwd: machine.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { LD_LIBRARY_PATH: programs.libraries, LD_PRELOAD: programs.preload, CONDUIT_MACHINE: machine.directory },
  })
}

/** Rejects when the daemon ends, with what it said. */
async function itsEnd(daemon: ChildProcess, name: string): Promise<never> {
  let said = ''
  for (const stream of [daemon.stdout, daemon.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const [status, signal] = await once(daemon, 'close')
  throw new Error(`${name} ended (${status ?? signal}): ${said.trim()}`)
}

async function stop(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null || daemon.pid === undefined) return
  const gone = once(daemon, 'exit')
  // Not SIGTERM: there is nothing that it should put in order.
  daemon.kill('SIGKILL')
  await gone
}
