// A service that takes its connections from jitsud: `adopting-process.js KIND`. Says over the IPC channel what it does, and does
// what it is told there. Once it has adopted, it sends `ready`.

import { closeSync, openSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { HANDOVER_VERSION, HandoverType } from '../../../protocol/handover.js'
import { HandoverLink } from '../../../src/adopt/handover-link.js'
import { type AdoptedConnections, adoptConnections, isConduitError } from '../../../src/index.js'
import { native } from '../../../src/native.js'

/** What the process may be told. */
export type AdoptingCommand = 'close' | 'exit 0' | 'exit 1' | 'throw' | 'fill' | 'free' | 'reset' | 'ports'

const [kind = 'echo'] = process.argv.slice(2)
const sockets = new Set<Socket>()
const ports: number[] = []
const filled: number[] = []
let adopted: AdoptedConnections | undefined

const say = (message: unknown): void => void process.send!(message)

function note(socket: Socket): void {
  sockets.add(socket)
  ports.push(socket.remotePort!)
  socket.on('error', (error: NodeJS.ErrnoException) => say({ error: error.code }))
  socket.once('end', () => say({ ended: true }))
  socket.once('close', () => sockets.delete(socket))
}

function echo(socket: Socket): void {
  note(socket)
  socket.pipe(socket)
}

/** Says half of what it has to say, and no more. */
function half(socket: Socket): void {
  note(socket)
  socket.resume()
  socket.write('half of it')
}

function server() {
  if (kind === 'http') {
    return createHttpServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      request.on('end', () => response.end(`${request.method} ${request.url} ${body}`))
    }).on('connection', note)
  }
  if (kind === 'server') return createServer({ allowHalfOpen: true }, echo)
  return kind === 'half' ? half : echo
}

/** Asks for connections, and takes none of those that it gets. */
function takeNothing(): void {
  const link = new HandoverLink(native().unixConnect(process.env.CONDUIT_HANDOVER!), {
    onMessage: ({ type }) => say(type === HandoverType.WELCOME ? 'ready' : { message: type }),
    onClose: () => say('closed'),
  })
  link.ref()
  link.send(HandoverType.HELLO, HANDOVER_VERSION, 0)
}

function fill(): void {
  try {
    for (;;) filled.push(openSync('/dev/null', 'r'))
  } catch {
    // Full. Something to talk with, and for what node opens by itself.
    for (const fd of filled.splice(-4)) closeSync(fd)
  }
}

const commands: Record<AdoptingCommand, () => unknown> = {
  close: () => adopted?.close().then(() => say('closed')),
  'exit 0': () => process.exit(0),
  'exit 1': () => process.exit(1),
  throw: () => {
    throw new Error('as told')
  },
  fill: () => {
    fill()
    say('filled')
  },
  free: () => {
    for (const fd of filled.splice(0)) closeSync(fd)
  },
  reset: () => {
    for (const socket of sockets) socket.resetAndDestroy()
  },
  ports: () => say({ ports }),
}

process.on('message', (command: AdoptingCommand) => void commands[command]())
process.once('disconnect', () => process.exit(2))

if (kind === 'take-nothing') takeNothing()
else {
  try {
    adopted = await adoptConnections(server(), kind === 'half-open' ? { allowHalfOpen: true } : {})
    say(adopted === undefined ? 'no jitsud' : 'ready')
  } catch (error) {
    say({ failed: isConduitError(error) ? error.code : String(error) })
  }
}
