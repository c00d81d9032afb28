// A store behind a unix stream socket: xenstored's, oxenstored's, or the local hypervisor's. Moves bytes only.
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConduitError } from '../errors.js'
import { backoffMs } from './backoff.js'
import type { OpenXenstoreTransport, XenstoreTransport } from './transport.js'

/** `sun_path` without its NUL (linux/un.h). Node cuts longer paths off in silence, and would open another socket. */
export const UNIX_PATH_BYTES_MAX = 107

/** @throws ConduitError EINVAL when a unix socket cannot have this path. */
export function checkUnixPath(path: string): void {
  const bytes = Buffer.byteLength(path)
  if (bytes > 0 && bytes <= UNIX_PATH_BYTES_MAX && !path.includes('\0')) return
  throw new ConduitError('EINVAL', `a unix socket cannot have the path ${JSON.stringify(path)}`, {
    endpoint: path,
    hint: `it has ${bytes} bytes; ${UNIX_PATH_BYTES_MAX} are allowed: choose a shorter directory`,
  })
}

// xenstored listens with a backlog of one, and a connect that would have to wait fails with EAGAIN on a non-blocking
// socket: not an error but a queue.
const BUSY_ATTEMPTS = 100
const BUSY_FIRST_PAUSE_MS = 1
const BUSY_LONGEST_PAUSE_MS = 50

/**
 * Opens connections to the store behind the socket at `path`.
 * @throws ConduitError EINVAL at once, for a path over 107 bytes; opening rejects with ENOENT, ECONNREFUSED, EACCES, SYSTEM
 */
export function unixSocketTransport(path: string): OpenXenstoreTransport {
  checkUnixPath(path)
  return async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        return socketTransport(await connected(path))
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException
        if (code !== 'EAGAIN' || attempt === BUSY_ATTEMPTS) throw connectError(path, cause as NodeJS.ErrnoException)
        await sleep(backoffMs(attempt, BUSY_FIRST_PAUSE_MS, BUSY_LONGEST_PAUSE_MS, Math.random))
      }
    }
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** A transport over a connected socket, which is its own from then on. Keeps the event loop alive only after `ref()`. */
export function socketTransport(socket: Socket): XenstoreTransport {
  let failure: Error | undefined
  let early: Uint8Array[] | undefined = []
  let receive = (bytes: Uint8Array): void => {
    early?.push(bytes)
  }
  socket.unref()
  socket.on('data', (bytes: Buffer) => receive(bytes))
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('end', () => socket.destroy())
  return {
    send: (bytes) => {
      // Buffer.from: net keeps the bytes until the kernel took them, and the caller may change his by then.
      if (!socket.destroyed) writeInTick(socket, Buffer.from(bytes))
    },
    onData: (receiver) => {
      receive = receiver
      const waiting = early ?? []
      early = undefined
      for (const bytes of waiting) receiver(bytes)
    },
    onClose: (listener) => {
      if (socket.closed) setImmediate(() => listener(failure))
      else socket.once('close', () => listener(failure))
    },
    ref: () => {
      socket.ref()
    },
    unref: () => {
      socket.unref()
    },
    close: () => {
      socket.destroy()
    },
  }
}

/** Write; all that is written in one tick goes to the kernel in one call. False when the socket has had enough for now. */
export function writeInTick(socket: Socket, bytes: Uint8Array): boolean {
  if (socket.writableCorked === 0) {
    socket.cork()
    process.nextTick(() => socket.uncork())
  }
  return socket.write(bytes)
}

function connectError(path: string, cause: NodeJS.ErrnoException): ConduitError {
  const code =
    cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED' || cause.code === 'EACCES' ? cause.code : 'SYSTEM'
  const hints = {
    ENOENT: 'no such socket: is the store running?',
    ECONNREFUSED: 'the socket is stale: nothing listens on it',
    EACCES: 'this user may not open the socket',
    SYSTEM: undefined,
  }
  return new ConduitError(code, `cannot connect to the store at ${path}`, {
    errno: cause.code,
    syscall: cause.syscall,
    endpoint: path,
    hint: hints[code],
    cause,
  })
}
