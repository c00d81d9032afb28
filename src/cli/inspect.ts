// `conduit-cat inspect NAME`: connects, decodes the control page of that connection once, and goes.
import { openEnvironment } from '../index.js'
import { closePolitely } from './close-politely.js'
import { controlPageLines } from './control-page-text.js'
import { catchInterruption } from './interruption.js'

export interface InspectOptions {
  readonly address: string
  readonly json: boolean
  readonly waitMs: number | undefined
  readonly ringBytes: number | undefined
}

/** @returns what goes to stdout. @throws ConduitError as connect(); the signal's reason */
export async function inspect({ address, json, waitMs, ringBytes }: InspectOptions): Promise<string> {
  const signal = catchInterruption()
  await using conduit = await openEnvironment({ signal, attachTimeoutMs: waitMs })
  const socket = await conduit.connect(address, { signal, timeoutMs: waitMs, ringBytes, pauseOnConnect: true })
  const channel = socket.channel
  if (channel === undefined) throw new TypeError('a connected socket has a channel')
  const page = channel.inspect()
  const { peer, ringRef, port, role } = channel
  await closePolitely(socket)
  if (json) {
    return JSON.stringify({ address, role, peerDomid: peer, domid: conduit.domid, ringRef, port, controlPage: page })
  }
  const title = `${address}: server domain ${peer}, client domain ${conduit.domid} (this one), ring-ref ${ringRef}, port ${port}`
  return controlPageLines(title, page).join('\n')
}
