// A running shell command: its streams, its exit status, and its end when it is not wanted any more.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex, Readable } from 'node:stream'
import { signalStatus } from './exit-status.js'

/** How long a command may take to end after SIGTERM. */
const GRACE_MS = 400
/** Not 0: Node makes that one for writing only, and would not notice when the command closes it. */
const STDIN_SLOT = 3

export class Command {
  readonly stdin: Duplex
  readonly stdout: Readable
  /** Exit status, 128 + n when signal n ended it, once it has let go of its streams. */
  readonly ended: Promise<number>
  readonly #child: ChildProcess

  /** @throws ConduitError SYSTEM when it cannot be started: EMFILE, E2BIG, … */
  static async start(command: string, env: NodeJS.ProcessEnv): Promise<Command> {
    const child = spawn('sh', ['-c', `exec <&${STDIN_SLOT} ${STDIN_SLOT}<&-; ${command}`], {
      // A process group of its own: what the shell has started ends with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      env,
    })
    await once(child, 'spawn')
    return new Command(child)
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    this.stdin = child.stdio[STDIN_SLOT] as Duplex
    this.stdout = child.stdout as Readable
    this.ended = once(child, 'close').then(([code, signal]) => (signal === null ? code : signalStatus(signal)))
  }

  /** Resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM')
    this.letGo()
    const grace = setTimeout(() => this.#signal('SIGKILL'), GRACE_MS)
    await this.ended
    clearTimeout(grace)
    // The shell may have gone and left somebody of its group.
    this.#signal('SIGKILL')
  }

  /** Close its streams: a command that goes on writing finds out that nobody reads. */
  letGo(): void {
    this.stdin.destroy()
    this.stdout.destroy()
  }

  /** To the command's whole process group. */
  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#child.pid!, signal)
    } catch {
      // Nobody of the group is left.
    }
  }
}
