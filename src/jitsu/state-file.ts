// The state file: read once at the start, then written as a whole whenever something has changed, in such a way that a crash of
// anything leaves the old state or the new one.
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { formatJitsudState, type JitsudState, NO_STATE, parseJitsudState } from '../../protocol/jitsud-state.js'
import { ConduitError } from '../errors.js'
import { errorFields, type Logger } from './logger.js'

export class StateFile {
  readonly #path: string
  readonly #log: Logger
  readonly #snapshot: () => JitsudState
  #writing: Promise<void> | undefined
  #again = false

  private constructor(path: string, log: Logger, snapshot: () => JitsudState) {
    this.#path = path
    this.#log = log
    this.#snapshot = snapshot
  }

  /**
   * What an earlier process left; nothing where there is no file, or one that cannot be understood: that one is set aside.
   * @throws ConduitError SYSTEM when the file cannot be read, or could not be written later
   */
  static async read(path: string, log: Logger): Promise<JitsudState> {
    try {
      const text = await readFile(path, 'utf8').catch(nothingWhenMissing)
      if (text === undefined) return await written(path, NO_STATE)
      const state = parseJitsudState(text)
      if (state !== undefined) return await written(path, state)
      const aside = `${path}.corrupt`
      await rename(path, aside)
      log.error(`the state file ${path} could not be understood and is now ${aside}: what runs is not known`)
      return await written(path, NO_STATE)
    } catch (cause) {
      const { code, syscall, message } = cause as NodeJS.ErrnoException
      throw new ConduitError('SYSTEM', `the state file ${path} cannot be kept: ${message}`, {
        errno: code,
        syscall,
        endpoint: path,
        hint: 'stateFile names a file in a directory that this user may write, on a disk that is neither full nor read-only',
        cause,
      })
    }
  }

  /** Writes what `snapshot` gives whenever {@link save} is called. */
  static at(path: string, log: Logger, snapshot: () => JitsudState): StateFile {
    return new StateFile(path, log, snapshot)
  }

  /** Soon; changes that come meanwhile are written together. */
  save(): void {
    this.#again = true
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Resolves when everything is written, or the failure is in the log. */
  async flush(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    // In a turn of its own: several changes come at once.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#again) {
      this.#again = false
      try {
        await written(this.#path, this.#snapshot())
      } catch (error) {
        this.#log.error(`the state file ${this.#path} could not be written: a restart would not find what runs`, {
          ...errorFields(error),
        })
      }
    }
  }
}

/** Order matters: the bytes are on the disk before the name points to them, and the name before anything relies on it. */
async function written(path: string, state: JitsudState): Promise<JitsudState> {
  const fresh = `${path}.new`
  const file = await open(fresh, 'w', 0o600)
  try {
    await file.writeFile(formatJitsudState(state))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
  return state
}

function nothingWhenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
