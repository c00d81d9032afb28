// C programs on libxenvchan and an SDK environment in one runtime directory, and connections between them in either role.
import { type Conduit, openEnvironment } from '../../src/index.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import type { LocalLibxenvchan } from '../../testbed/local-preload.js'
import { VchanPeerProcess } from '../../testbed/vchan-peer-process.js'
import type { CRole, InteropWorld } from './interop-world.js'
import { type LocalWorld, localWorld } from './local-world.js'

export interface Meeting {
  readonly socket: ConduitSocket
  readonly peer: VchanPeerProcess
}

export class LibxenvchanWorld implements InteropWorld {
  readonly local: LocalWorld = localWorld()
  readonly #library: LocalLibxenvchan
  readonly #peers: VchanPeerProcess[] = []
  #conduit!: Conduit
  #lastPort = 0

  private constructor(library: LocalLibxenvchan) {
    this.#library = library
  }

  static async start(library: LocalLibxenvchan): Promise<LibxenvchanWorld> {
    const world = new LibxenvchanWorld(library)
    world.#conduit = await openEnvironment({ backend: 'local', runtimeDir: world.local.directory })
    return world
  }

  get conduit(): Conduit {
    return this.#conduit
  }

  nextPort(): string {
    return `p${++this.#lastPort}`
  }

  /** A C program; `args` from the role on. */
  spawn(args: readonly string[], environment: NodeJS.ProcessEnv = {}): VchanPeerProcess {
    const all = { ...this.#library.environment(this.local.directory), ...environment }
    const peer = new VchanPeerProcess(this.#library.peer.path, args, all)
    this.#peers.push(peer)
    return peer
  }

  async meet(role: CRole, job: readonly string[], ringBytes: number): Promise<Meeting> {
    const port = this.nextPort()
    const ring = role === 'server' ? ['--ring', String(ringBytes)] : []
    const peer = this.spawn([role, '-', port, ...job, ...ring])
    const theirs = await peer.domid()
    const ours = this.conduit.domid
    if (role === 'server') {
      peer.meet(ours)
      return {
        peer,
        socket: await this.conduit.connect(`vchan://${theirs}/${port}`, { wait: true, allowHalfOpen: true }),
      }
    }
    const server = this.conduit.createServer({ ringBytes: Math.max(ringBytes, 1024), allowHalfOpen: true })
    const came = new Promise<ConduitSocket>((resolve) => server.once('connection', resolve))
    await server.listen(`vchan://${theirs}/${port}`)
    peer.meet(ours)
    const socket = await came
    socket.once('close', () => void server.close())
    return { peer, socket }
  }

  async close(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.kill()))
    await this.#conduit.close()
    await this.local.close()
  }
}
