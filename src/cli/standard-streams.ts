// stdin and stdout as streams of large chunks, whatever is behind them: a file, a pipe, a socket, a terminal. Files go
// through fs, everything that can be polled through net: a thread blocked in read(2) would hold up the exit.
import { createReadStream, createWriteStream, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { FileOutput } from './file-output.js'

/** The process's side of a relay. */
export interface LocalEnd {
  readonly input: Readable
  readonly output: Writable
}

const STDIN = 0
const STDOUT = 1
/** A file is read and written in pieces of this: one is read while the one before goes out. */
const FILE_CHUNK_BYTES = 1024 * 1024

type Behind = 'file' | 'pipe' | 'terminal'

/** A device that is no terminal, such as /dev/null, counts as a file. */
function behind(fd: number): Behind {
  const stat = fstatSync(fd)
  if (stat.isFIFO() || stat.isSocket()) return 'pipe'
  return isatty(fd) ? 'terminal' : 'file'
}

function openInput(): Readable {
  const kind = behind(STDIN)
  if (kind === 'file') {
    return createReadStream('', { fd: STDIN, autoClose: false, highWaterMark: FILE_CHUNK_BYTES })
  }
  if (kind === 'pipe') return new Socket({ fd: STDIN, readable: true, writable: false }).pause()
  return process.stdin.pause()
}

function openOutput(): Writable {
  const kind = behind(STDOUT)
  if (kind === 'file') {
    if (FileOutput.fits(fstatSync(STDOUT))) return new FileOutput(STDOUT, FILE_CHUNK_BYTES)
    return createWriteStream('', { fd: STDOUT, autoClose: false, highWaterMark: FILE_CHUNK_BYTES })
  }
  // Not process.stdout: that one never closes, and whoever reads the pipe waits for its end.
  if (kind === 'pipe') return new Socket({ fd: STDOUT, readable: false, writable: true })
  return process.stdout
}

/** Open both. Call once. */
export function openStandardStreams(): LocalEnd {
  return { input: openInput(), output: openOutput() }
}
