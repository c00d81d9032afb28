// Guests, from inside dom0: made with xl, directed through the agent on their console. Programs in dom0 use it; nothing
// here works anywhere else.
import { execFile } from 'node:child_process'
import { constants, openSync, writeFileSync } from 'node:fs'
import { ReadStream, WriteStream } from 'node:tty'
import { promisify } from 'node:util'
import { XenstoreClient } from '../src/xenstore/client.js'
import { unixSocketTransport } from '../src/xenstore/unix-socket-transport.js'
import { AgentConnection } from './agent-connection.js'
import { OWN_ARCHITECTURE } from './architecture.js'
import { Deferred } from './deferred.js'
import { GUEST_KERNEL, GUEST_ROOT } from './qemu.js'
import type { CommandResult, RemoteProcess } from './remote-process.js'

const execute = promisify(execFile)

/** The store's socket in dom0. */
export const STORE_SOCKET = '/run/xenstored/socket'

/**
 * Paravirtualised, or with hardware support for memory and without a device model: the two that need no QEMU in dom0.
 * On arm64 there is one kind, whose name is `pvh` (xl.cfg(5)), whatever a test asks for.
 */
export type GuestType = 'pv' | 'pvh'

export interface GuestOptions {
  readonly type: GuestType
  /** One of its own unless given: no two running guests share a name. */
  readonly name?: string
  /** MiB. 512 by default: node in a file system that lies in memory needs no less. */
  readonly memory?: number
  /** Lines for xl.cfg(5), after all others. */
  readonly config?: string
}

let created = 0

/**
 * A running guest with the same file system as dom0: node, the project in /conduit, `conduit-cat` and C peers on the path.
 *
 * @example
 * const guest = await Guest.create({ type: 'pv' })
 * const server = guest.spawn('vchan-hello server 0 data/hello')
 * await server.printed(/listening/)
 * expect((await guest.run('xenstore-read domid')).output.trim()).to.equal(String(guest.domid))
 * await guest.destroy()
 */
export class Guest {
  readonly domid: number
  readonly name: string
  readonly type: GuestType
  readonly #agent: AgentConnection
  readonly #streams: { destroy(): void }[]
  readonly #gone: Deferred<void>

  private constructor(identity: { domid: number; name: string; type: GuestType }, terminal: string) {
    this.domid = identity.domid
    this.name = identity.name
    this.type = identity.type
    // xenconsoled has made the terminal raw. As the terminal that controls this process, its hang-up would be a SIGHUP.
    const [incoming, outgoing] = [new ReadStream(openTerminal(terminal)), new WriteStream(openTerminal(terminal))]
    this.#agent = new AgentConnection(incoming, outgoing, ({ otherLines }) =>
      ['the domain ended', ...otherLines].join('\n'),
    )
    this.#streams = [incoming, outgoing]
    this.#gone = new Deferred()
    // xenconsoled hangs up when the domain has died.
    for (const event of ['end', 'close', 'error']) incoming.once(event, () => this.#leave())
  }

  /** Resolves when the guest takes commands: after its `/dev/xen` nodes are there. Rejects with what its kernel said last. */
  static async create(options: GuestOptions): Promise<Guest> {
    created += 1
    const name = options.name ?? `guest-${process.pid}-${created}`
    const file = `/tmp/${name}.cfg`
    writeFileSync(file, configuration(name, options))
    await xl('create', '-q', file)
    return Guest.of({ domid: Number((await xl('domid', name)).trim()), name, type: options.type })
  }

  /** One that somebody else made, as above: destroyed when it does not come up. */
  static async of(identity: {
    readonly domid: number
    readonly name: string
    readonly type: GuestType
  }): Promise<Guest> {
    const { domid, name } = identity
    const guest = new Guest(identity, await terminalOf(domid))
    try {
      await guest.#agent.ready
      return guest
    } catch (error) {
      await guest.destroy()
      throw new Error(`guest ${name}: ${(error as Error).message}`)
    }
  }

  /** Resolves when the domain has died, by whatever cause; pages that others have mapped may keep it a zombie. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  /** What its kernel printed last. */
  get console(): readonly string[] {
    return this.#agent.otherLines
  }

  /** Run a shell's command in it, to its end. Rejects when the guest dies first. */
  run(command: string): Promise<CommandResult> {
    return this.#agent.run(command)
  }

  /** Start a shell's command in it. */
  spawn(command: string, options: { readonly keep?: boolean } = {}): RemoteProcess {
    return this.#agent.spawn(command, options)
  }

  /** `xl destroy`: at once, without a word to it. Idempotent. Resolves when xl says so. */
  async destroy(): Promise<void> {
    // One that has died by itself is no error.
    await xl('destroy', String(this.domid)).catch(async (error: Error) => {
      if (await this.#listed()) throw error
    })
    await this.gone
  }

  /** {@link Guest.destroy}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy()
  }

  async #listed(): Promise<boolean> {
    return xl('domname', String(this.domid)).then(
      () => true,
      () => false,
    )
  }

  #leave(): void {
    for (const stream of this.#streams) stream.destroy()
    this.#gone.resolve()
  }
}

function openTerminal(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_NOCTTY)
}

function configuration(name: string, { type, memory = 512, config = '' }: GuestOptions): string {
  return `name = "${name}"
type = "${OWN_ARCHITECTURE === 'arm64' ? 'pvh' : type}"
kernel = "${GUEST_KERNEL}"
ramdisk = "${GUEST_ROOT}"
extra = "console=hvc0 loglevel=2 panic=1 rdinit=/sbin/guest-init"
memory = ${memory}
vcpus = 1
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
${config}
`
}

/** The command's stdout. Rejects with its stderr. */
async function xl(...args: string[]): Promise<string> {
  try {
    return (await execute('xl', args)).stdout
  } catch (error) {
    throw new Error(
      `xl ${args.join(' ')}: ${(error as { stderr?: string }).stderr?.trim() || (error as Error).message}`,
    )
  }
}

/** xenconsoled writes it into the store when it has noticed the domain. */
async function terminalOf(domid: number): Promise<string> {
  const store = await XenstoreClient.open(unixSocketTransport(STORE_SOCKET))
  const path = `/local/domain/${domid}/console/tty`
  try {
    for await (const _ of store.watches(path)) {
      if (await store.exists(path)) return await store.readText(path)
    }
    throw new Error(`the store ended before ${path} was there`)
  } finally {
    await store.close()
  }
}
