// A command whose standard input and output are a connection. The command's end ends the connection; a connection
// that breaks ends the command.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ConduitSocket } from '../index.js'
import { closePolitely } from './close-politely.js'
import { signalStatus } from './exit-status.js'
import { relay } from './relay.js'

export interface ExecOptions {
  readonly command: string
  /** The name that the connection was made to, for CONDUIT_NAME. */
  readonly name: string
  readonly signal: AbortSignal
  readonly idleMs?: number | undefined
}

/** How long a command may take to end after SIGTERM. */
const GRACE_MS = 400

/**
 * Run `sh -c command` on the connection; resolves with its exit status, 128 + n when a signal ended it.
 * @throws ConduitError ECONNRESET, EPIPE, … when the connection failed first; the signal's reason
 */
export async function execOn(socket: ConduitSocket, options: ExecOptions): Promise<number> {
  const child = spawn('sh', ['-c', options.command], {
    // A process group of its own: what the shell has started ends with it.
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      CONDUIT_NAME: options.name,
      CONDUIT_PEER_DOMID: String(socket.channel?.peer ?? ''),
    },
  })
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const local = { input: child.stdout, output: child.stdin }
  const { signal, idleMs } = options
  const moving = relay(socket, local, { signal, idleMs, onOutputClosed: 'discard' })
  try {
    const [first] = await Promise.race([ended.then((status) => [status] as const), moving.then(() => [undefined])])
    // The command may have ended while the peer still writes: nobody is left to read that.
    if (first !== undefined) await closePolitely(socket)
    await moving
    // A command that goes on writing finds out that nobody reads.
    child.stdout.destroy()
    const [status, endedBy] = await ended
    return endedBy === null ? (status ?? 0) : signalStatus(endedBy)
  } catch (error) {
    stop(child, 'SIGTERM')
    child.stdin.destroy()
    child.stdout.destroy()
    const grace = setTimeout(() => stop(child, 'SIGKILL'), GRACE_MS)
    await ended
    clearTimeout(grace)
    // The shell may have gone and left somebody of its group.
    stop(child, 'SIGKILL')
    throw error
  }
}

/** Signal the command's whole process group. */
function stop(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Nobody of the group is left.
  }
}
