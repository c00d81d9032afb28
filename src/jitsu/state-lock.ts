// One jitsud a state file: what another one has launched must not be taken for this one's.
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConduitError } from '../errors.js'
import { native } from '../native.js'

/** Held until it is released, or this process ends however it does. */
export class StateLock {
  readonly #fd: number
  #held = true

  /**
   * Makes the file's folder where it is missing, not those above.
   * @throws ConduitError EADDRINUSE, SYSTEM
   */
  static acquire(stateFile: string): StateLock {
    const path = `${stateFile}.lock`
    let fd: number
    try {
      makeFolder(dirname(path))
      fd = openSync(path, 'a', 0o600)
    } catch (cause) {
      const { code: errno, syscall, message } = cause as NodeJS.ErrnoException
      throw new ConduitError('SYSTEM', `stateFile: ${stateFile} cannot be kept: ${message}`, {
        errno,
        syscall,
        endpoint: stateFile,
        hint: 'name a file in a folder that this user may write, on a disk that is neither full nor read-only',
        cause,
      })
    }
    if (native().tryLock(fd)) return new StateLock(fd)
    closeSync(fd)
    throw new ConduitError('EADDRINUSE', `another jitsud keeps ${stateFile}`, {
      endpoint: stateFile,
      hint: 'end that one, or give this one a stateFile and a CONDUIT_RUNTIME_DIR of its own',
    })
  }

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** Idempotent. The file stays: to remove it would let two hold it. */
  release(): void {
    if (this.#held) closeSync(this.#fd)
    this.#held = false
  }
}

/** One level: above it somebody else decides what is there. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
