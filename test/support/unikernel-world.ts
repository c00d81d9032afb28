// Unikernels of one kind with the SDK in dom0, which has a registrar; Debian's libxenvchan runs there too.
import { Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Registrar } from '../../src/conduit/registrar.js'
import { type Conduit, openEnvironment } from '../../src/index.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { UnikernelGuest } from './unikernel-guest.js'
import { readPattern, writePattern } from './vchan-pattern.js'
import { here, openStore, type RemoteProcess } from './xen-machine.js'

export class UnikernelWorld {
  readonly conduit: Conduit
  readonly store: XenstoreClient
  readonly #type: 'pv' | 'pvh'
  readonly #registrar: Registrar
  readonly #registrarStore: XenstoreClient
  readonly #guests: UnikernelGuest[] = []
  readonly #processes: RemoteProcess[] = []

  private constructor(
    type: 'pv' | 'pvh',
    parts: { conduit: Conduit; store: XenstoreClient; registrar: Registrar; registrarStore: XenstoreClient },
  ) {
    this.#type = type
    this.conduit = parts.conduit
    this.store = parts.store
    this.#registrar = parts.registrar
    this.#registrarStore = parts.registrarStore
  }

  static async start(type: 'pv' | 'pvh'): Promise<UnikernelWorld> {
    const [store, registrarStore] = await Promise.all([openStore(), openStore()])
    const registrar = await Registrar.start(registrarStore)
    const conduit = await openEnvironment({ backend: 'xen' })
    return new UnikernelWorld(type, { conduit, store, registrar, registrarStore })
  }

  /** A guest that serves. */
  async guest(app: string, settings: string): Promise<UnikernelGuest> {
    return this.#keep(await UnikernelGuest.create(this.store, { type: this.#type, app, settings }))
  }

  /** A guest that may be about to end. */
  async start(app: string, settings: string): Promise<UnikernelGuest> {
    return this.#keep(await UnikernelGuest.start(this.store, { type: this.#type, app, settings }))
  }

  /** Debian's libxenvchan in dom0, with the pattern; it ends with the test if not before. */
  peer(args: string): RemoteProcess {
    const process = here.spawn(`exec vchan-peer ${args}`)
    this.#processes.push(process)
    return process
  }

  connect(address: string, options: { allowHalfOpen?: boolean } = {}): Promise<ConduitSocket> {
    return this.conduit.connect(address, { allowHalfOpen: true, timeoutMs: 60_000, ...options })
  }

  /** What an echo sends back of so many bytes, all of them right. Ends when all is back: not every peer has a half-close. */
  async exchange(socket: ConduitSocket, bytes: number): Promise<number> {
    let got = 0
    const counted = socket.pipe(
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          got += chunk.length
          if (got === bytes) socket.end()
          done(null, chunk)
        },
      }),
    )
    socket.on('error', (error) => counted.destroy(error))
    const back = readPattern(counted)
    await writePattern(socket, bytes)
    return back
  }

  /** Everything that a server answers to this, until it ends. */
  async ask(address: string, request: string): Promise<string> {
    const socket = await this.connect(address)
    socket.end(request)
    return text(socket)
  }

  async close(): Promise<void> {
    for (const process of this.#processes) process.kill('SIGKILL')
    await this.conduit.close()
    await Promise.all(this.#guests.map((guest) => guest.destroy()))
    await this.#registrar.close()
    await Promise.all([this.store.close(), this.#registrarStore.close()])
  }

  #keep(guest: UnikernelGuest): UnikernelGuest {
    this.#guests.push(guest)
    return guest
  }
}
