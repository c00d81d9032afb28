// The client of bench/hold.ts: Connects to the address that it is told over the IPC channel, reads the answer to
// its end and says when what happened, in ms since 1970 with fractions.
import { once } from 'node:events'
import { connect } from 'node:net'
import { parseSocketAddress } from '../protocol/jitsud-hold-config.js'

/** What the client saw. */
export interface ClientReport {
  readonly askedAtMs: number
  readonly firstByteAtMs: number
  readonly endedAtMs: number
  readonly bytes: number
}

const now = (): number => performance.timeOrigin + performance.now()

process.send!({ started: true })
const [{ address }] = (await once(process, 'message')) as [{ address: string }]
const askedAtMs = now()
const socket = connect({ ...parseSocketAddress(address)!, noDelay: true })
socket.write('go')
let bytes = 0
let firstByteAtMs = 0
socket.on('data', (chunk: Buffer) => {
  if (bytes === 0) firstByteAtMs = now()
  bytes += chunk.length
})
await once(socket, 'end')
const report: ClientReport = { askedAtMs, firstByteAtMs, endedAtMs: now(), bytes }
process.send!(report)
process.disconnect()
