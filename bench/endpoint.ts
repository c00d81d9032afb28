// One face for the three transports: listen as this job wants it, connect as this job wants it. Sockets come out as
// they are, Node's and Conduit's: nothing is wrapped that is measured.
import net from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect, createServer } from '../src/index.js'
import type { Job } from './job.js'

const NAME = 'bench'

export interface OnRead {
  readonly buffer: Uint8Array
  callback(bytes: number, buffer: Uint8Array): boolean
}

/** Resolves with the address for {@link connectTo}. */
export async function listen(job: Job, onConnection: (socket: Duplex) => void): Promise<string> {
  if (job.transport === 'conduit') {
    await createServer({ ...ofServer(job) }, onConnection).listen(NAME)
    return NAME
  }
  const server = net.createServer({ noDelay: eager(job) }, onConnection)
  const path = join(process.env.CONDUIT_RUNTIME_DIR ?? '.', 'unix')
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (job.transport === 'unix') server.listen(path, resolve)
    else server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? String(address.port) : path
}

/** Resolves when the socket is connected. */
export async function connectTo(job: Job, address: string, onread?: OnRead): Promise<Duplex> {
  const reading = onread === undefined ? {} : { onread }
  if (job.transport === 'conduit') return connect(address, { ...ofClient(job), ...reading })
  const where = job.transport === 'unix' ? { path: address } : { port: Number(address), host: '127.0.0.1' }
  const socket = net.connect({ ...where, noDelay: eager(job), ...reading })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

/** What a Conduit server of this job is told. */
export function ofServer({ ringBytes, spinMicros }: Job): { ringBytes?: number; spinMicros?: number } {
  return { ...(ringBytes === undefined ? {} : { ringBytes }), ...(spinMicros === undefined ? {} : { spinMicros }) }
}

/** What a Conduit client of this job asks for. */
export const ofClient = ofServer

/** TCP gathers small writes by default, which is right for streams of messages and wrong for questions and answers. */
const eager = (job: Job): boolean => job.workload === 'round-trip'
