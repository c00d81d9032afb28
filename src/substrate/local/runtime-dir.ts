// Where a user's local hypervisor and its clients meet: one private folder a user. Makes it and refuses one
// that somebody else could have prepared.
import { chmodSync, lstatSync, mkdirSync, type Stats, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { CONTROL_SOCKET_NAME } from '../../../protocol/local-control.js'
import { ConduitError } from '../../errors.js'

/** Longest path of a unix socket: sun_path less its NUL (linux/un.h). Node cuts longer ones off in silence. */
export const MAX_SOCKET_PATH_BYTES = 107

const HINT = 'set CONDUIT_RUNTIME_DIR to a folder of your own with mode 0700'

export interface RuntimeDirectoryChoice {
  readonly directory: string
  /** Why this one, for people. */
  readonly reason: string
}

/** `$CONDUIT_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/conduit` where that is this user's, else `/tmp/conduit-<uid>`. */
export function runtimeDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return chooseRuntimeDirectory(environment).directory
}

export function chooseRuntimeDirectory(environment: NodeJS.ProcessEnv = process.env): RuntimeDirectoryChoice {
  const { CONDUIT_RUNTIME_DIR: own, XDG_RUNTIME_DIR: session } = environment
  if (own) return { directory: own, reason: 'from CONDUIT_RUNTIME_DIR' }
  const directory = `/tmp/conduit-${process.getuid!()}`
  if (!session) return { directory, reason: 'neither CONDUIT_RUNTIME_DIR nor XDG_RUNTIME_DIR is set' }
  const fault = notOurs(session)
  if (fault !== undefined) return { directory, reason: `XDG_RUNTIME_DIR, ${session}, ${fault}` }
  return { directory: join(session, 'conduit'), reason: 'from XDG_RUNTIME_DIR' }
}

/** sudo and su may leave the variable of whoever called them: a folder of ours in theirs would lock them out. */
function notOurs(folder: string): string | undefined {
  if (!isAbsolute(folder)) return 'is not an absolute path'
  try {
    const { uid } = statSync(folder)
    return uid === process.getuid!() ? undefined : otherOwner(uid)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'is not there' : `cannot be looked at: ${message}`
  }
}

const otherOwner = (uid: number): string => `belongs to uid ${uid}, not to ${process.getuid!()}`

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
  checkPath(directory)
  try {
    if (makeFolder(directory)) chmodSync(directory, 0o700)
  } catch (cause) {
    refuse(directory, `cannot be made: ${(cause as Error).message}`, cause)
  }
  checkFolder(directory)
  return directory
}

/**
 * For who only looks: false where there is no such folder.
 * @throws ConduitError RUNTIME_DIR when it is not this user's alone
 */
export function hasRuntimeDirectory(directory: string): boolean {
  checkPath(directory)
  return checkFolder(directory)
}

function checkPath(directory: string): void {
  if (!isAbsolute(directory)) refuse(directory, 'is not an absolute path')
  const longest = Buffer.byteLength(join(directory, CONTROL_SOCKET_NAME))
  if (longest > MAX_SOCKET_PATH_BYTES) {
    refuse(directory, `is too long: a socket in it needs ${longest} bytes, ${MAX_SOCKET_PATH_BYTES} are allowed`)
  }
}

function checkFolder(directory: string): boolean {
  const status = look(directory)
  if (status === undefined) return false
  if (!status.isDirectory()) refuse(directory, 'is not a folder')
  if (status.uid !== process.getuid!()) refuse(directory, otherOwner(status.uid))
  if ((status.mode & 0o077) !== 0) {
    refuse(directory, `has mode ${(status.mode & 0o777).toString(8)}: others could reach it`)
  }
  return true
}

function look(directory: string): Stats | undefined {
  try {
    // lstat: a symbolic link in /tmp may be another user's.
    return lstatSync(directory)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return code === 'ENOENT' ? undefined : refuse(directory, `cannot be looked at: ${message}`, cause)
  }
}

function refuse(directory: string, why: string, cause?: unknown): never {
  throw new ConduitError('RUNTIME_DIR', `runtime directory ${directory} ${why}`, {
    hint: HINT,
    endpoint: directory,
    cause,
  })
}
