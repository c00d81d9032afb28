// A machine with Xen, from the files in the cache to an agent in dom0 that takes commands.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentConnection } from './agent-connection.js'
import type { PackedFile } from './archive-entries.js'
import { baseImage } from './base-image.js'
import { cpioArchive } from './cpio.js'
import { QEMU, requireQemu } from './host-tools.js'
import { projectArchive } from './project-archive.js'
import { qemuArguments, type XenstoredKind } from './qemu.js'
import { writePieces } from './write-pieces.js'
import { xenTree } from './xen-packages.js'

/** Twenty times what it takes. */
const BOOT_LIMIT_MS = 400_000

export interface MachineOptions {
  readonly xenstored?: XenstoredKind
  /** Put into dom0 and into every guest. */
  readonly files?: readonly PackedFile[]
  /** A console of dom0 on this process's stdin and stdout. */
  readonly shell?: boolean
}

/** A running machine. Its end, by whatever cause, rejects what runs in dom0 with the console's last lines. */
export class Machine {
  /** The agent in dom0. */
  readonly dom0: AgentConnection
  readonly #qemu: ChildProcess
  readonly #folder: string
  readonly #exited: Promise<unknown>

  private constructor(qemu: ChildProcess, dom0: AgentConnection, folder: string) {
    this.#qemu = qemu
    this.dom0 = dom0
    this.#folder = folder
    this.#exited = new Promise((resolve) => qemu.once('exit', resolve))
  }

  /** Resolves when dom0 takes commands. Rejects with what to do when something is missing, or with the console's end. */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    const tree = xenTree()
    const missing = requireQemu() ?? (typeof tree === 'string' ? tree : undefined)
    if (missing !== undefined || typeof tree === 'string') throw new Error(missing)
    const image = baseImage(tree)
    const folder = mkdtempSync(join(tmpdir(), 'conduit-xen-'))
    try {
      const root = join(folder, 'root.cpio')
      writePieces(root, cpioArchive(projectArchive(tree, options.files ?? [])), image.root)
      return await Machine.#start({ ...image, root }, folder, options)
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }

  static async #start(
    image: { xen: string; kernel: string; root: string },
    folder: string,
    { xenstored = 'c', shell = false }: MachineOptions,
  ): Promise<Machine> {
    const agentSocket = join(folder, 'agent')
    const server = createServer()
    server.listen(agentSocket)
    await once(server, 'listening')
    const consoleLog = join(folder, 'console.log')
    const args = qemuArguments({ ...image, agentSocket, consoleLog, xenstored, shell })
    const qemu = spawn(QEMU, args, { stdio: [shell ? 'inherit' : 'ignore', shell ? 'inherit' : 'ignore', 'pipe'] })
    const socket = await agentOf(qemu, server)
    const machine = new Machine(qemu, new AgentConnection(socket, socket), folder)
    qemu.once('exit', () => machine.dom0.lose(new Error(`the machine ended; its console:\n${machine.console()}`)))
    const late = setTimeout(() => {
      machine.dom0.lose(new Error(`dom0 takes no commands; the console:\n${machine.console()}`))
    }, BOOT_LIMIT_MS)
    try {
      await machine.dom0.ready
      return machine
    } catch (error) {
      await machine.stop()
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  /** QEMU, for whoever watches over it. */
  get pid(): number {
    return this.#qemu.pid!
  }

  /** The last lines of Xen's and dom0's console. */
  console(lines = 40): string {
    return readFileSync(join(this.#folder, 'console.log'), 'utf8').split('\n').slice(-lines).join('\n')
  }

  /** End it: it keeps nothing. Idempotent. */
  async stop(): Promise<void> {
    // Not SIGKILL: QEMU gives a terminal that it has used its modes back.
    this.#qemu.kill('SIGTERM')
    await this.#exited
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** QEMU connects when it starts; one that cannot says why on stderr. */
async function agentOf(qemu: ChildProcess, server: Server): Promise<Socket> {
  let said = ''
  qemu.stderr!.on('data', (bytes: Buffer) => {
    said += bytes
  })
  try {
    return await new Promise((resolve, reject) => {
      server.once('connection', resolve)
      qemu.once('error', reject)
      qemu.once('exit', (status) => reject(new Error(`QEMU ended with ${status}: ${said.trim()}`)))
    })
  } finally {
    server.close()
  }
}
