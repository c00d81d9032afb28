// Bytes through two conduit-cats in both directions at once, as fast or as slowly as the readers take them, with the
// memory of both processes watched meanwhile.
import { createCipheriv, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import type { CatProcess } from './cat-process.js'

const CHUNK_BYTES = 64 * 1024
const KEY_BYTES = 16

/** Resident bytes of a process; its peak until now (proc(5), VmHWM). */
export function peakResidentBytes(pid: number): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1024
}

/** Write `bytes` pseudo-random bytes, no faster than they are taken; resolves with their SHA-256. */
export async function writeRandom(target: Writable, bytes: number, seed: number): Promise<string> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(KEY_BYTES, seed), Buffer.alloc(KEY_BYTES))
  const hash = createHash('sha256')
  for (let written = 0; written < bytes; written += CHUNK_BYTES) {
    const chunk = cipher.update(Buffer.alloc(Math.min(CHUNK_BYTES, bytes - written)))
    hash.update(chunk)
    if (!target.write(chunk)) await new Promise<void>((resolve) => target.once('drain', resolve))
  }
  target.end()
  return hash.digest('hex')
}

/** Read to the end, awaiting `pace` after each chunk; resolves with the SHA-256. */
export async function readPaced(source: Readable, pace: () => Promise<void>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of source) {
    hash.update(chunk as Buffer)
    await pace()
  }
  return hash.digest('hex')
}

export interface Peaks {
  /** Hashes of what was written and what was read, by direction. */
  readonly sent: readonly [string, string]
  readonly received: readonly [string, string]
  /** Most resident bytes of either process. */
  readonly peakBytes: number
}

/** `bytes` bytes each way at once. Both were started with `unread` and a stdin of pipe. */
export async function exchange(a: CatProcess, b: CatProcess, bytes: number, pace: () => Promise<void>): Promise<Peaks> {
  let peakBytes = 0
  const watched = async (): Promise<void> => {
    peakBytes = Math.max(peakBytes, peakResidentBytes(a.pid), peakResidentBytes(b.pid))
    await pace()
  }
  const [sentByA, sentByB, receivedByB, receivedByA] = await Promise.all([
    writeRandom(a.stdin, bytes, 1),
    writeRandom(b.stdin, bytes, 2),
    readPaced(b.stdout, watched),
    readPaced(a.stdout, watched),
  ])
  return { sent: [sentByA, sentByB], received: [receivedByB, receivedByA], peakBytes }
}
