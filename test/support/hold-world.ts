// Held addresses for tests, with what they log, and everything closed afterwards.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type HoldConfig, holdSchema } from '../../protocol/jitsud-hold-config.js'
import type { Clock } from '../../src/conduit/clock.js'
import { HeldAddress, type HeldAddressOptions, handoverEnvironment, Takers } from '../../src/jitsu/hold/index.js'
import { type AdoptingOptions, AdoptingService } from './adopting-service.js'
import { eventually } from './eventually.js'
import { FakeService } from './fake-service.js'
import { HeldClient } from './held-client.js'
import { openFiles } from './open-files.js'

export interface LogLine {
  readonly message: string
  readonly reason?: string
  readonly clients?: number
}

export class HoldWorld {
  readonly service = new FakeService()
  readonly directory = mkdtempSync(join(tmpdir(), 'conduit-'))
  readonly log: LogLine[] = []
  readonly #held: HeldAddress[] = []
  readonly #clients: HeldClient[] = []
  readonly #before = tcpSockets()
  readonly #processes: AdoptingService[] = []
  #takers: Takers | undefined

  get environment(): Record<string, string> {
    return handoverEnvironment(this.directory, this.service.name)
  }

  get takers(): Takers {
    this.#takers ??= Takers.listen(this.service, { directory: this.directory })
    return this.#takers
  }

  /** The service's takers on this clock. */
  takersOn(clock: Clock): Takers {
    this.#takers = Takers.listen(this.service, { directory: this.directory, clock })
    return this.#takers
  }

  /** As the next jitsud does. */
  restartTakers(): void {
    this.#takers = undefined
  }

  async hold(
    config: Partial<HoldConfig> & { handover: string },
    options: HeldAddressOptions = {},
  ): Promise<HeldAddress> {
    const complete = holdSchema.parse({ address: '127.0.0.1:0', ...config })
    const write = (fields: object, message: string) => void this.log.push({ ...fields, message })
    const takers = complete.handover === 'fd' ? this.takers : undefined
    const held = await HeldAddress.listen(complete, this.service, {
      takers,
      log: { info: write, warn: write },
      ...options,
    })
    this.#held.push(held)
    return held
  }

  async client(held: HeldAddress): Promise<HeldClient> {
    const client = await HeldClient.to(held.address)
    this.#clients.push(client)
    return client
  }

  async clients(held: HeldAddress, count: number): Promise<HeldClient[]> {
    const clients: HeldClient[] = []
    for (let number = 0; number < count; number++) clients.push(await this.client(held))
    return clients
  }

  /** A process as the launcher of the service starts it; `foreign` for one that it did not start. */
  start(kind: string, options: Partial<AdoptingOptions> & { foreign?: true } = {}): AdoptingService {
    const started = new AdoptingService(kind, { env: this.environment, ...options })
    this.#processes.push(started)
    if (options.foreign !== true) this.service.runs(started.pid)
    return started
  }

  /** The same, once it takes connections, with its service ready. */
  async ready(kind: string, options: Partial<AdoptingOptions> = {}): Promise<AdoptingService> {
    const { takers: _listening } = this
    const started = this.start(kind, options)
    await eventually(() => started.said.includes('ready'))
    this.service.becomesReady()
    return started
  }

  /** Close everything, and see that nothing is left: no socket of this process, no use of the service. */
  async close(): Promise<void> {
    await Promise.all(this.#held.map((held) => held.close({ relayed: 'reset' })))
    for (const { socket } of this.#clients) socket.destroy()
    await Promise.all(this.#processes.map((started) => started.kill()))
    this.#takers?.close()
    rmSync(this.directory, { recursive: true })
    await eventually(() => tcpSockets() <= this.#before)
    await eventually(() => this.service.uses === 0)
    for (const held of this.#held) expect(held.counters).to.include({ waiting: 0, relayed: 0 })
  }
}

/** TCP sockets that this process has open. */
function tcpSockets(): number {
  const lines = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/self/net/${file}`, 'utf8').split('\n').slice(1))
  const inodes = new Set(lines.map((line) => `socket:[${line.trim().split(/ +/)[9]}]`))
  return [...openFiles(process.pid).values()].filter((target) => inodes.has(target)).length
}
