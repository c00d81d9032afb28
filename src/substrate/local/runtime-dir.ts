// Where a user's local hypervisor and its clients meet: one private folder a user. Makes it and refuses one
// that somebody else could have prepared.
import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { CONTROL_SOCKET_NAME } from '../../../protocol/local-control.js'
import { ConduitError } from '../../errors.js'

/** Longest path of a unix socket: sun_path less its NUL (linux/un.h). Node cuts longer ones off in silence. */
export const MAX_SOCKET_PATH_BYTES = 107

const HINT = 'set CONDUIT_RUNTIME_DIR to a folder of your own with mode 0700'

/** `$CONDUIT_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/conduit`, else `/tmp/conduit-<uid>`. */
export function runtimeDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.CONDUIT_RUNTIME_DIR) return environment.CONDUIT_RUNTIME_DIR
  if (environment.XDG_RUNTIME_DIR) return join(environment.XDG_RUNTIME_DIR, 'conduit')
  return `/tmp/conduit-${process.getuid!()}`
}

/**
 * Make a folder and those above it; false when it was there. Not mkdirSync's `recursive`, which never returns where a file
 * system such as /proc answers ENOENT although the parent exists (Node 20).
 */
function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code !== 'ENOENT' || dirname(path) === path || !makeFolder(dirname(path))) throw error
    mkdirSync(path, { mode: 0o700 })
    return true
  }
}

/**
 * Make the folder if need be, and check that it is this user's alone.
 * @throws ConduitError RUNTIME_DIR
 */
export function prepareRuntimeDirectory(directory: string): string {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ConduitError('RUNTIME_DIR', `runtime directory ${directory} ${why}`, {
      hint: HINT,
      endpoint: directory,
      cause,
    })
  }
  if (!isAbsolute(directory)) refuse('is not an absolute path')
  const longest = Buffer.byteLength(join(directory, CONTROL_SOCKET_NAME))
  if (longest > MAX_SOCKET_PATH_BYTES) {
    refuse(`is too long: a socket in it needs ${longest} bytes, ${MAX_SOCKET_PATH_BYTES} are allowed`)
  }
  try {
    if (makeFolder(directory)) chmodSync(directory, 0o700)
  } catch (cause) {
    refuse(`cannot be made: ${(cause as Error).message}`, cause)
  }
  // lstat: a symbolic link in /tmp may be another user's.
  const status = lstatSync(directory)
  if (!status.isDirectory()) refuse('is not a folder')
  if (status.uid !== process.getuid!()) refuse(`belongs to uid ${status.uid}, not to ${process.getuid!()}`)
  if ((status.mode & 0o077) !== 0) refuse(`has mode ${(status.mode & 0o777).toString(8)}: others could reach it`)
  return directory
}
