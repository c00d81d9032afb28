// What a program prints, by way of a file: a pipe would break when jitsud ends, and the program with it. Follows the file line by
// line and keeps it short; a program that prints faster than it is read loses lines, and is never held up.
import { constants, type FSWatcher, fstatSync, ftruncateSync, watch } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** A longer line comes in pieces. */
export const LINE_BYTES = 4096
const CHUNK_BYTES = 64 << 10
/** Read to its end, a file of this size is emptied. */
export const EMPTIED_BYTES = 256 << 10
/** What waits beyond this is thrown away. */
export const BACKLOG_BYTES = 1 << 20

/** A new and empty file, for a program to append to. */
export function createOutput(path: string): Promise<FileHandle> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND, O_NOFOLLOW } = constants
  return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0o600)
}

export class OutputFile {
  readonly #file: FileHandle
  readonly #log: (line: string) => void
  readonly #chunk = Buffer.alloc(CHUNK_BYTES)
  readonly #watcher: FSWatcher | undefined
  #offset: number
  #rest = Buffer.alloc(0)
  #reading: Promise<void> | undefined
  #again = false
  #closed: Promise<void> | undefined

  private constructor(file: FileHandle, parts: { path: string; offset: number; log: (line: string) => void }) {
    this.#file = file
    this.#offset = parts.offset
    this.#log = parts.log
    try {
      this.#watcher = watch(parts.path, { persistent: false }, () => this.#read())
      this.#watcher.on('error', () => undefined)
    } catch (error) {
      parts.log(`what it prints is shown when it ends: ${(error as Error).message}`)
    }
  }

  /** Follow a file, from its start or from what it has by now. */
  static async follow(path: string, log: (line: string) => void, from: 'start' | 'end'): Promise<OutputFile> {
    const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
    const offset = from === 'start' ? 0 : (await file.stat()).size
    const output = new OutputFile(file, { path, offset, log })
    output.#read()
    return output
  }

  /** Resolves when all that is there was logged. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#watcher?.close()
    this.#read()
    await this.#reading
    if (this.#rest.length > 0) this.#log(this.#rest.toString())
    await this.#file.close()
  }

  #read(): void {
    this.#again = true
    this.#reading ??= this.#readAll()
      .catch((error: Error) => this.#log(`what it prints cannot be read: ${error.message}`))
      .finally(() => {
        this.#reading = undefined
      })
  }

  async #readAll(): Promise<void> {
    while (this.#again) {
      this.#again = false
      let { size } = await this.#file.stat()
      // The program itself may have emptied it.
      if (size < this.#offset) this.#offset = 0
      if (size - this.#offset > BACKLOG_BYTES) {
        this.#log(`${size - this.#offset} bytes of output were dropped: it prints faster than they can be logged`)
        this.#rest = Buffer.alloc(0)
        this.#empty(this.#file.fd)
        continue
      }
      while (this.#offset < size) {
        const { bytesRead } = await this.#file.read(this.#chunk, 0, CHUNK_BYTES, this.#offset)
        if (bytesRead === 0) break
        this.#offset += bytesRead
        this.#lines(this.#chunk.subarray(0, bytesRead))
        size = Math.min(size, (await this.#file.stat()).size)
      }
      // At once, for what the program writes between the two calls is lost.
      const { fd } = this.#file
      if (this.#offset >= EMPTIED_BYTES && fstatSync(fd).size === this.#offset) this.#empty(fd)
    }
  }

  #empty(fd: number): void {
    ftruncateSync(fd)
    this.#offset = 0
  }

  #lines(bytes: Buffer): void {
    let text = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    for (;;) {
      const newline = text.subarray(0, LINE_BYTES).indexOf(0x0a)
      if (newline < 0 && text.length < LINE_BYTES) break
      const end = newline < 0 ? LINE_BYTES : newline
      this.#log(text.subarray(0, end).toString())
      text = text.subarray(newline < 0 ? end : end + 1)
    }
    this.#rest = Buffer.from(text)
  }
}
