// A machine with Xen, from the files in the cache to an agent in dom0 that takes commands.
import { AgentConnection } from './agent-connection.js'
import type { Architecture } from './architecture.js'
import type { PackedFile } from './archive-entries.js'
import { baseImage } from './base-image.js'
import { cpioArchive } from './cpio.js'
import { requireQemu } from './host-tools.js'
import { MachineFolder } from './machine-folder.js'
import { projectArchive } from './project-archive.js'
import type { XenstoredKind } from './qemu.js'
import { QemuProcess } from './qemu-process.js'
import { writePieces } from './write-pieces.js'
import { xenTree } from './xen-packages.js'

/** Twenty times what it takes. */
const BOOT_LIMIT_MS = 400_000

export interface MachineOptions {
  /** x86_64 unless given. */
  readonly architecture?: Architecture
  readonly xenstored?: XenstoredKind
  /** Put into dom0 and into every guest. */
  readonly files?: readonly PackedFile[]
  /** A console of dom0 on this process's stdin and stdout. */
  readonly shell?: boolean
  /** Ends it, also while it starts. */
  readonly signal?: AbortSignal
}

/** A running machine. Its end, by whatever cause, rejects what runs in dom0, with the console's last lines. */
export class Machine {
  /** The agent in dom0. */
  readonly dom0: AgentConnection
  readonly #qemu: QemuProcess

  private constructor(qemu: QemuProcess) {
    this.#qemu = qemu
    this.dom0 = new AgentConnection(qemu.agent, qemu.agent, () => `the machine ended; its console:\n${qemu.console()}`)
  }

  /** Resolves when dom0 takes commands. Rejects with what to do when something is missing, or with the console's end. */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    const { architecture = 'x86_64', xenstored = 'c', shell = false } = options
    const missing = requireQemu(architecture)
    if (missing !== undefined) throw new Error(missing)
    const tree = xenTree(architecture)
    if (typeof tree === 'string') throw new Error(tree)
    const image = baseImage(tree)
    options.signal?.throwIfAborted()
    const folder = new MachineFolder()
    try {
      const root = folder.file('root.cpio')
      writePieces(root, cpioArchive(projectArchive(tree, options.files ?? [])), image.root)
      const booted = { ...image, root, architecture, xenstored, shell }
      const machine = new Machine(await QemuProcess.start(booted, folder))
      await machine.#ready(options.signal)
      return machine
    } finally {
      folder.remove()
    }
  }

  async #ready(signal?: AbortSignal): Promise<void> {
    const late = setTimeout(
      () => this.dom0.lose(`dom0 takes no commands; the console:\n${this.console()}`),
      BOOT_LIMIT_MS,
    )
    signal?.addEventListener('abort', () => void this.stop())
    if (signal?.aborted === true) await this.stop()
    try {
      await this.dom0.ready
    } catch (error) {
      await this.stop()
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  /** The last lines of Xen's and dom0's console. */
  console(lines?: number): string {
    return this.#qemu.console(lines)
  }

  /** End it: it keeps nothing. Idempotent. */
  stop(): Promise<void> {
    return this.#qemu.stop()
  }
}
