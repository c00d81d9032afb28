// The demo's file: pseudo-random bytes, written and read back in pieces, never held whole.
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'

const PIECE_BYTES = 1024 * 1024
const KEY_BYTES = 16

/** Write `bytes` bytes of an AES key stream; resolves with their SHA-256 in hex. @throws errno errors; the signal's reason */
export async function writeRandomFile(path: string, bytes: number, signal: AbortSignal): Promise<string> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(KEY_BYTES), Buffer.alloc(KEY_BYTES))
  const hash = createHash('sha256')
  const zeros = Buffer.alloc(PIECE_BYTES)
  await using file = await open(path, 'wx', 0o600)
  for (let written = 0; written < bytes; written += PIECE_BYTES) {
    signal.throwIfAborted()
    const piece = cipher.update(zeros.subarray(0, Math.min(PIECE_BYTES, bytes - written)))
    hash.update(piece)
    await file.writeFile(piece)
  }
  return hash.digest('hex')
}

/** SHA-256 of a file, in hex. @throws errno errors; the signal's reason */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: PIECE_BYTES, signal })) hash.update(piece as Buffer)
  return hash.digest('hex')
}
