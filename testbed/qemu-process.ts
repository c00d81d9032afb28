// QEMU as a process of this one: started, connected to, listened to, ended. What runs in it is not its business.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { QEMU } from './host-tools.js'
import type { MachineFolder } from './machine-folder.js'
import { type QemuOptions, qemuArguments } from './qemu.js'

export class QemuProcess {
  /** The port of the agent in dom0. */
  readonly agent: Socket
  readonly #child: ChildProcess
  readonly #console: number
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess, agent: Socket, log: number) {
    this.#child = child
    this.agent = agent
    this.#console = log
    this.#exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve()
  }

  /** Resolves when QEMU runs and has connected the agent's port. Rejects with what it says otherwise. */
  static async start(options: Omit<QemuOptions, 'agentSocket' | 'consoleLog'>, folder: MachineFolder) {
    const files = { agentSocket: folder.file('agent'), consoleLog: folder.file('console.log') }
    const server = createServer()
    server.listen(files.agentSocket)
    await once(server, 'listening')
    // Opened first, since the name will be gone while the machine runs.
    const log = openSync(files.consoleLog, 'w+')
    const terminal = options.shell ? 'inherit' : 'ignore'
    const child = spawn(QEMU[options.architecture].program, qemuArguments({ ...options, ...files }), {
      stdio: [terminal, terminal, 'pipe'],
    })
    try {
      return new QemuProcess(child, await connected(child, server), log)
    } catch (error) {
      closeSync(log)
      throw error
    }
  }

  /** The last lines of Xen's and dom0's console. */
  console(lines = 40): string {
    return readFileSync(`/proc/self/fd/${this.#console}`, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** Idempotent; resolves when it has ended. The console can be read on. */
  async stop(): Promise<void> {
    // Not SIGKILL: QEMU gives a terminal that it has used its modes back.
    this.#child.kill('SIGTERM')
    await this.#exited
  }
}

/** QEMU connects when it starts; one that cannot says why on stderr. */
async function connected(child: ChildProcess, server: Server): Promise<Socket> {
  let said = ''
  child.stderr!.on('data', (bytes: Buffer) => {
    said += bytes
  })
  try {
    return await new Promise((resolve, reject) => {
      server.once('connection', resolve)
      child.once('error', reject)
      child.once('exit', (status) => reject(new Error(`QEMU ended with ${status}: ${said.trim()}`)))
    })
  } finally {
    server.close()
  }
}
