// stdout where a write never waits for anybody: a file, /dev/null. Written at once, as node's own process.stdout is there: a
// way through the thread pool and back costs several times what the copy does.
import { type Stats, writeSync } from 'node:fs'
import { Writable } from 'node:stream'

/** memory devices: null, zero, full (linux, Documentation/admin-guide/devices.txt). */
const MAJOR_MEM = 1
const MINOR_BITS = 8

export class FileOutput extends Writable {
  readonly #fd: number

  /** Does not close `fd`. */
  constructor(fd: number, highWaterMark: number) {
    super({ highWaterMark, decodeStrings: true })
    this.#fd = fd
  }

  /** Whether this class is for what `stat` is of. */
  static fits(stat: Stats): boolean {
    return stat.isFile() || stat.isBlockDevice() || (stat.isCharacterDevice() && stat.rdev >> MINOR_BITS === MAJOR_MEM)
  }

  /** @internal */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    try {
      for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd, chunk, at)
    } catch (error) {
      callback(error as Error)
      return
    }
    callback()
  }
}
