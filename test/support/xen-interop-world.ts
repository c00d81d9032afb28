// C programs on libxenvchan in a real guest, and an SDK environment in dom0.
import { type Conduit, openEnvironment } from '../../src/index.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import type { PeerLine } from '../../testbed/vchan-peer-process.js'
import type { CRole, InteropPeer, InteropWorld } from './interop-world.js'
import { Guest, type GuestType, type RemoteProcess } from './xen-machine.js'

/** testbed/peers' program as a command of a domain. */
export class RemoteVchanPeer implements InteropPeer {
  readonly process: RemoteProcess

  constructor(process: RemoteProcess) {
    this.process = process
    // Whoever waits for a line hears of the end through it.
    process.wait().catch(() => undefined)
  }

  get exit(): Promise<{ readonly status: number }> {
    return this.process.wait()
  }

  async line(event: string): Promise<PeerLine> {
    const [, pairs = ''] = await this.process.printed(new RegExp(`^${event}(?: (.*))?\\r?$`, 'm'))
    return Object.fromEntries(pairs.split(' ').map((pair) => pair.split('=')))
  }

  kill(): void {
    this.process.kill('SIGKILL')
  }
}

export class XenInteropWorld implements InteropWorld {
  readonly guest: Guest
  readonly conduit: Conduit
  #lastPort = 0

  private constructor(guest: Guest, conduit: Conduit) {
    this.guest = guest
    this.conduit = conduit
  }

  static async start(type: GuestType): Promise<XenInteropWorld> {
    const guest = await Guest.create({ type })
    return new XenInteropWorld(guest, await openEnvironment({ backend: 'xen' }))
  }

  nextPort(): string {
    this.#lastPort += 1
    return `p${this.#lastPort}`
  }

  spawn(args: readonly string[]): RemoteVchanPeer {
    return new RemoteVchanPeer(this.guest.spawn(['vchan-peer', ...args].join(' ')))
  }

  async meet(
    role: CRole,
    job: readonly string[],
    ringBytes: number,
  ): Promise<{ readonly peer: RemoteVchanPeer; readonly socket: ConduitSocket }> {
    const port = this.nextPort()
    const address = `vchan://${this.guest.domid}/${port}`
    if (role === 'server') {
      const peer = this.spawn([role, '0', port, ...job, '--ring', String(ringBytes)])
      return {
        peer,
        socket: await this.conduit.connect(address, { wait: true, allowHalfOpen: true, timeoutMs: 60_000 }),
      }
    }
    const server = this.conduit.createServer({ ringBytes: Math.max(ringBytes, 1024), allowHalfOpen: true })
    const came = new Promise<ConduitSocket>((resolve) => server.once('connection', resolve))
    await server.listen(address)
    const peer = this.spawn([role, '0', port, ...job])
    const socket = await came
    socket.once('close', () => void server.close())
    return { peer, socket }
  }

  async close(): Promise<void> {
    await this.conduit.close()
    await this.guest.destroy()
  }
}
