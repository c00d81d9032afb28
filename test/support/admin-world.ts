// An admin address over services that a test makes up.
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { AdminSource } from '../../src/jitsu/admin/admin-pages.js'
import { type AdminLimits, AdminServer } from '../../src/jitsu/admin/admin-server.js'
import { Metrics, type MetricsSource } from '../../src/jitsu/admin/metrics.js'
import { type Counters, type Health, type JitsudStatus, serviceStatus } from '../../src/jitsu/admin/status.js'
import { silentLogger } from '../../src/jitsu/logger.js'
import type { PoolState, Service, ServiceState } from '../../src/jitsu/summon.js'
import type { Timeline } from '../../src/jitsu/timeline.js'

/** A service that only is somewhere. */
export function idleService(name: string, state: ServiceState = 'stopped'): Service {
  return {
    name,
    dns: [`${name}.example.org`],
    addresses: ['192.0.2.1'],
    reply: 'ready',
    state,
    instance: state === 'ready' ? { domid: undefined, pid: 77 } : undefined,
    touch: () => undefined,
    summon: async () => undefined,
    use: () => ({ moved: () => undefined, release: () => undefined }),
    sawFirstByte: () => undefined,
  }
}

/** The same with instances that are kept warm. */
export const warmService = (name: string, changes: Partial<PoolState> = {}): Service => ({
  ...idleService(name),
  pool: {
    wanted: 3,
    ready: 2,
    memoryBytes: 3 << 20,
    problem: undefined,
    counters: { prepared: 5, taken: 2, empty: 1, failed: 0, died: 1 },
    ...changes,
  },
})

export const timelineOf = (service: string, changes: Partial<Timeline> = {}): Timeline => ({
  service,
  number: 1,
  by: 'dns',
  startedAtMs: 1_700_000_000_000,
  steps: { query: 0, launch: 1, ready: 40 },
  askers: 1,
  outcome: 'ready',
  ...changes,
})

export class AdminWorld implements AdminSource {
  services: Service[] = [idleService('www', 'ready'), idleService('mail')]
  summons: Timeline[] = [timelineOf('www')]
  problems: string[] = []
  dnsCounters: Counters = {}
  heldCounters: { service: string; address: string; counters: Counters }[] = []
  metricsOf!: Metrics
  server!: AdminServer
  readonly #sockets: Socket[] = []

  static async listen(limits?: Partial<AdminLimits>, hostNames: readonly string[] = []): Promise<AdminWorld> {
    const world = new AdminWorld()
    const source: MetricsSource = {
      services: () => world.services,
      dns: () => world.dnsCounters,
      held: () => world.heldCounters,
    }
    world.metricsOf = await Metrics.open(source)
    world.server = await AdminServer.listen({
      listen: { host: '127.0.0.1', port: 0 },
      source: world,
      log: silentLogger,
      hostNames,
      limits,
    })
    return world
  }

  health(): Health {
    return { healthy: this.problems.length === 0, problems: this.problems }
  }

  status(): JitsudStatus {
    return {
      version: '1.2.3',
      pid: 1,
      startedAtMs: 0,
      backend: 'local',
      config: '/etc/jitsud.json',
      reloads: 0,
      reloadError: null,
      dns: null,
      services: this.services.map((service) =>
        serviceStatus(
          service,
          this.summons.findLast((one) => one.service === service.name),
          [],
        ),
      ),
    }
  }

  timelines(service?: string): readonly Timeline[] | undefined {
    if (service === undefined) return this.summons
    if (!this.services.some(({ name }) => name === service)) return undefined
    return this.summons.filter((timeline) => timeline.service === service)
  }

  metrics(): Promise<{ readonly type: string; readonly text: string }> {
    return this.metricsOf.text()
  }

  get port(): number {
    return Number(this.server.address.split(':').at(-1))
  }

  /** What a path answers. `headers` replaces what Node would send. */
  async ask(path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
    const { method = 'GET', headers = {} } = options
    const sent: ClientRequest = request({ host: '127.0.0.1', port: this.port, path, method, headers, agent: false })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject)
    })
    sent.end()
    const response = await answered
    return { status: response.statusCode!, headers: response.headers, body: await text(response) }
  }

  /** A client that speaks by itself. */
  raw(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.port })
    socket.on('error', () => undefined)
    this.#sockets.push(socket)
    return socket
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await this.server.close()
  }
}
