// A composition root for tests: a whole machine in one process, with domains, a store and a registrar, and no native
// code. Re-exported by conduit-vchan/testing.
import { domid } from '../protocol/xen.js'
import { Conduit, type ConduitOptions } from './conduit/conduit.js'
import { Registrar } from './conduit/registrar.js'
import { MemoryHypervisor, type MemoryHypervisorOptions } from './substrate/memory.js'
import { XenstoreClient } from './xenstore/client.js'
import { EmbeddedStore } from './xenstore/store/store.js'

/** What a {@link MemoryMachine} is made with; the store is its own. */
export type MemoryMachineOptions = Omit<MemoryHypervisorOptions, 'xenstore'>

/**
 * A machine for tests of programs that use Conduit: each environment is a domain of its own, as each process is on a real
 * one. Names, permissions and wake-ups are the real ones; deaths and faults come when the test says so.
 *
 * @example
 * await using machine = await MemoryMachine.start()
 * const [server, client] = [await machine.environment(), await machine.environment()]
 * await server.createServer((socket) => socket.pipe(socket)).listen('echo')
 * const socket = await client.connect('echo')
 */
export class MemoryMachine {
  /** For faults, and for substrates without an environment. */
  readonly hypervisor: MemoryHypervisor
  readonly #store = new EmbeddedStore()
  readonly #environments = new Set<Conduit>()
  #registrar: Registrar | undefined
  #dom0: XenstoreClient | undefined

  /** Use {@link MemoryMachine.start}. @internal */
  constructor(options: MemoryMachineOptions) {
    this.hypervisor = new MemoryHypervisor({ ...options, xenstore: (id) => this.#store.transport(id) })
  }

  /** A machine with its store and registrar running. */
  static async start(options: MemoryMachineOptions = {}): Promise<MemoryMachine> {
    const machine = new MemoryMachine(options)
    machine.#store.introduceDomain(domid(0))
    machine.#dom0 = await XenstoreClient.open(async () => machine.#store.transport(domid(0)))
    machine.#registrar = await Registrar.start(machine.#dom0)
    return machine
  }

  /** A new domain, and its environment: what openEnvironment() is to a process. */
  async environment(options: Omit<ConduitOptions, 'substrate'> = {}): Promise<Conduit> {
    const substrate = this.hypervisor.createDomain()
    this.#store.introduceDomain(substrate.domid)
    const conduit = await Conduit.open({ ...options, substrate })
    this.#environments.add(conduit)
    return conduit
  }

  /** As kill -9 of the process: its domain, its pages and ports, its connection to the store. Its own code just stops hearing. */
  kill(environment: Conduit): void {
    const id = environment.domid
    this.#environments.delete(environment)
    this.hypervisor.kill(id)
    this.#store.domainDied(id)
    void environment.store.close()
  }

  /** Close every environment, then the machine. */
  async close(): Promise<void> {
    const environments = [...this.#environments]
    this.#environments.clear()
    const ids = environments.map((conduit) => conduit.domid)
    await Promise.all(environments.map((conduit) => conduit.close()))
    for (const id of ids) this.#store.domainDied(id)
    await this.#registrar?.close()
    await this.#dom0?.close()
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
