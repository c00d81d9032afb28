// One line to an echo and back over a connection of its own.
import { once } from 'node:events'
import type { ConduitSocket } from '../../src/vchan/socket.js'

/** What came back until the peer's clean end, once the socket is closed. Rejects with the socket's error. */
export async function echoLine(socket: ConduitSocket, line: string): Promise<string> {
  const closed = once(socket, 'close')
  socket.end(line)
  let echoed = ''
  for await (const chunk of socket) echoed += (chunk as Buffer).toString()
  await closed
  return echoed
}

/** Send one chunk and wait for as many bytes; the connection stays open. */
export async function echoOnce(socket: ConduitSocket, bytes: Buffer): Promise<Buffer> {
  socket.write(bytes)
  const parts: Buffer[] = []
  for (let missing = bytes.length; missing > 0; ) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    parts.push(chunk)
    missing -= chunk.length
  }
  return Buffer.concat(parts)
}
