// A command whose standard input and output are a connection. The command's end ends the connection; a connection
// that breaks ends the command.
import { ConduitError, type ConduitSocket } from '../index.js'
import { Command } from './command.js'
import { relayCommand } from './command-relay.js'

export interface ExecOptions {
  readonly command: string
  /** The name that the connection was made to, for CONDUIT_NAME. */
  readonly name: string
  readonly signal: AbortSignal
  readonly idleMs?: number | undefined
}

/**
 * Run `sh -c command` on the connection; resolves with its exit status, 128 + n when a signal ended it.
 * @throws ConduitError ECONNRESET, EPIPE, … when the connection failed first; SYSTEM when it cannot be run; the signal's reason
 */
export async function execOn(socket: ConduitSocket, { command, name, signal, idleMs }: ExecOptions): Promise<number> {
  const env = { ...process.env, CONDUIT_NAME: name, CONDUIT_PEER_DOMID: String(socket.channel?.peer ?? '') }
  const running = await Command.start(command, env).catch((cause: unknown) => {
    socket.destroy()
    throw notStarted(cause)
  })
  try {
    await relayCommand(socket, running, { signal, idleMs })
    running.letGo()
    return await running.ended
  } catch (error) {
    await running.stop()
    throw error
  }
}

function notStarted(cause: unknown): ConduitError {
  const { message, code, syscall } = cause as NodeJS.ErrnoException
  return new ConduitError('SYSTEM', `run a command: ${message}`, { errno: code, syscall, cause })
}
