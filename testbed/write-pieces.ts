// A file made of pieces, one after the other.
import { closeSync, copyFileSync, openSync, writeSync } from 'node:fs'

/** Make `path` of the pieces; behind a copy of `after`, where that is given. */
export function writePieces(path: string, pieces: Iterable<Uint8Array>, after?: string): void {
  if (after !== undefined) copyFileSync(after, path)
  const fd = openSync(path, after === undefined ? 'wx' : 'a', 0o600)
  try {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at)
    }
  } finally {
    closeSync(fd)
  }
}
