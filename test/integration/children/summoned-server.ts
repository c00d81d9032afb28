// A service that jitsud boots: echoes to whoever connects to its conduit name, given as its argument.
import { createServer } from '../../../src/index.js'

const [name = 'www'] = process.argv.slice(2)
const server = createServer((socket) => socket.pipe(socket))
await server.listen(name)
console.log(`listening on ${name}`)
process.once('SIGTERM', () => process.exit(0))
