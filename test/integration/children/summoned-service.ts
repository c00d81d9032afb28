// A service that jitsud starts in tests. Writes down each start in the file that is its first argument, then does as the second
// says: serve HTTP at a port, or a line to each connection under a conduit name; end at once; never say a word.
import { appendFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from '../../../src/index.js'

const [, , journal = '', what, where = ''] = process.argv

appendFileSync(journal, `${process.pid}\n`)

switch (what) {
  case 'http':
    createHttpServer((_, response) => response.end(`process ${process.pid}\n`)).listen(Number(where), '127.0.0.1')
    break
  case 'conduit': {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(`process ${process.pid}\n`)
    })
    await server.listen(where)
    break
  }
  case 'exit':
    process.exit(Number(where))
    break
  case 'hang':
    setInterval(() => undefined, 1 << 30)
}
