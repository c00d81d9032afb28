// Debian's xenstore-utils without installing them. Where they cannot be had, tests are pending and say why; with CI=true
// they fail instead.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { debianTree } from '../../testbed/debian-packages.js'

const PACKAGES = ['xenstore-utils', 'libxenstore4', 'libxentoolcore1']

/** The programs, unpacked. */
export interface XenstoreUtils {
  /** Path of a program such as `xenstore-ls`. */
  program(name: string): string
  /** What they need in the environment to find their libraries, and the store behind `socket`. */
  environment(socket: string): NodeJS.ProcessEnv
}

/** The programs, or why they cannot be had. */
export function findXenstoreUtils(): XenstoreUtils | string {
  const tree = debianTree('xenstore-utils', PACKAGES)
  if (typeof tree === 'string') return `xenstore-utils needed: ${tree}`
  return {
    program: (name) => join(tree.root, 'usr', 'bin', name),
    environment: (socket) => ({ ...process.env, LD_LIBRARY_PATH: tree.libraries, XENSTORED_PATH: socket }),
  }
}

export interface ProgramResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Run one of the programs to its end, on the store behind `socket`. */
export function runUtility(
  utils: XenstoreUtils,
  socket: string,
  name: string,
  args: readonly string[],
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    execFile(utils.program(name), args, { env: utils.environment(socket) }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, stdout, stderr })
    })
  })
}
