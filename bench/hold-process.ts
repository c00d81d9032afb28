// The service of bench/hold.ts: `hold-process.js MODE BYTES`. Answers each connection's first chunk with so many bytes; says over the
// IPC channel when it takes connections.
import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { parseSocketAddress } from '../protocol/jitsud-hold-config.js'
import { adoptConnections, createServer } from '../src/index.js'

const [mode, count] = process.argv.slice(2)
const BLOCK = Buffer.alloc(64 * 1024, 'x')

function answer(socket: Duplex): void {
  socket.on('error', () => undefined)
  socket.once('data', () => {
    let left = Number(count)
    const more = (): void => {
      while (left > 0) {
        const block = BLOCK.subarray(0, Math.min(left, BLOCK.length))
        left -= block.length
        if (!socket.write(block) && left > 0) {
          socket.once('drain', more)
          return
        }
      }
      socket.end()
    }
    more()
  })
}

if (mode === 'fd') await adoptConnections(answer)
else if (mode === 'conduit') await createServer(answer).listen('bench')
else {
  const server = createTcpServer(answer).listen(parseSocketAddress(process.env.BENCH_ADDRESS!))
  await once(server, 'listening')
}
process.send!({ ready: true })
