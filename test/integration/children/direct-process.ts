// An SDK process at vchan://DOMID/PORT: echoes, tells of its steps on stdout, and lives until it is killed.
import { openEnvironment } from '../../../src/index.js'

const [role, directory] = process.argv.slice(2) as ['server' | 'client', string]
const conduit = await openEnvironment({ backend: 'local', runtimeDir: directory })
const say = (line: string) => process.stdout.write(`${line}\n`)

process.stdin.once('data', async (bytes: Buffer) => {
  const address = bytes.toString().trim()
  if (role === 'client') {
    const socket = await conduit.connect(address, { wait: true })
    say('connected')
    socket.pipe(socket)
    return
  }
  const server = conduit.createServer((socket) => {
    say('connected')
    socket.pipe(socket)
  })
  await server.listen(address)
  say('listening')
})
say(`ready ${conduit.domid}`)
