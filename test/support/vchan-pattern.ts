// The bytes that testbed/peers' programs send and check (testbed/peers/pattern.c makes the same): an SDK peer's side of them.
import type { Readable, Writable } from 'node:stream'

/** A prime: a ringful out of place never goes unnoticed. */
const PERIOD = 1_048_583
const CHUNK_MAX = 1 << 20

const table = Buffer.alloc(PERIOD + CHUNK_MAX)
for (let i = 0, state = 1; i < PERIOD; i++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  table[i] = state >>> 24
}
table.copy(table, PERIOD, 0, CHUNK_MAX)

/** `bytes` of the stream from `offset` on, at most a MiB. */
export const patternAt = (offset: number, bytes: number): Buffer =>
  table.subarray(offset % PERIOD, (offset % PERIOD) + bytes)

/** Write `total` bytes of the pattern, `chunk` at a time, waiting for `drain`; resolves when the last was taken. */
export async function writePattern(socket: Writable, total: number, chunk = 65_536): Promise<void> {
  for (let sent = 0; sent < total; sent += chunk) {
    const part = patternAt(sent, Math.min(chunk, total - sent))
    if (socket.write(part)) continue
    await new Promise<void>((resolve, reject) => {
      const onClose = () => reject(new Error(`closed after ${sent} bytes`))
      socket.once('drain', () => {
        socket.off('close', onClose)
        resolve()
      })
      socket.once('close', onClose)
    })
  }
}

/** Read to the end; resolves with how many bytes there were, all of them right. Rejects with the socket's error. */
export async function readPattern(socket: Readable): Promise<number> {
  let bytes = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    if (!chunk.equals(patternAt(bytes, chunk.length)))
      throw new Error(`wrong bytes between ${bytes} and ${bytes + chunk.length}`)
    bytes += chunk.length
  }
  return bytes
}
