// A DNS server over services that boot when the test says so, with clients, on a clock that moves when the test says so.
import { DnsServer, type DnsServerOptions } from '../../src/jitsu/dns/dns-server.js'
import { TcpAsker, UdpAsker } from './dns-asker.js'
import { type FakeServiceSpec, FakeServices } from './fake-services.js'
import { ManualClock } from './manual-clock.js'

export const HOST_ID = '0123456789abcdef0123456789abcdef'

export class DnsWorld {
  readonly services: FakeServices
  readonly clock: ManualClock
  readonly server: DnsServer
  readonly #opened: { close(): Promise<void> }[] = []
  #nowMs: { value: number }

  private constructor(services: FakeServices, clock: ManualClock, server: DnsServer, nowMs: { value: number }) {
    this.services = services
    this.clock = clock
    this.server = server
    this.#nowMs = nowMs
  }

  static async open(specs: readonly FakeServiceSpec[], options: Partial<DnsServerOptions> = {}): Promise<DnsWorld> {
    const services = new FakeServices(...specs)
    const clock = new ManualClock()
    const now = { value: 0 }
    const server = await DnsServer.listen({
      ...{ listen: '127.0.0.1:0', services, hostId: HOST_ID, clock, nowMs: () => now.value },
      ...options,
    })
    return new DnsWorld(services, clock, server, now)
  }

  async udp(from?: string): Promise<UdpAsker> {
    const asker = await UdpAsker.open(this.server.port, from)
    this.#opened.push(asker)
    return asker
  }

  async tcp(): Promise<TcpAsker> {
    const asker = await TcpAsker.open(this.server.port)
    this.#opened.push(asker)
    return asker
  }

  /** Timers and the monotonic clock. */
  advance(byMs: number): void {
    this.#nowMs.value += byMs
    this.clock.advance(byMs)
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((asker) => asker.close()))
    await this.server.close()
  }
}
