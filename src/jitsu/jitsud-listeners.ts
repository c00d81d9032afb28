// Where jitsud is reached: its DNS server, the addresses that it holds for services, its admin address. One configuration
// for all three, taken over together or not at all.
import type { JitsudConfig } from '../../protocol/jitsud-config.js'
import { type HoldConfig, parseSocketAddress } from '../../protocol/jitsud-hold-config.js'
import type { AdminServer } from './admin/admin-server.js'
import type { DnsServer } from './dns/dns-server.js'
import type { HeldAddress } from './hold/index.js'
import { type Change, Listeners } from './listeners.js'

/** As configured, with the id of this host. */
type DnsConfig = NonNullable<JitsudConfig['dns']> & { readonly hostId: string | undefined }
type AdminConfig = NonNullable<JitsudConfig['admin']>

/** An address that is held, and for whom. */
export interface HeldConfig {
  readonly service: string
  /** In the configuration, such as `services[0].hold[1].address`. */
  readonly key: string
  readonly hold: HoldConfig
}

/** One that serves. */
export interface Held {
  readonly config: HeldConfig
  readonly address: HeldAddress
  close(): Promise<void>
}

/** How each is opened. */
export interface JitsudOpeners {
  dns(config: DnsConfig): Promise<DnsServer>
  held(config: HeldConfig): Promise<Held>
  admin(config: AdminConfig): Promise<AdminServer>
}

export class JitsudListeners {
  readonly #dns: Listeners<DnsConfig, DnsServer>
  readonly #held: Listeners<HeldConfig, Held>
  readonly #admin: Listeners<AdminConfig, AdminServer>

  constructor(openers: JitsudOpeners) {
    this.#dns = new Listeners({ open: openers.dns, collide: (a, b) => sameAddress(a.listen, b.listen) })
    this.#held = new Listeners({
      open: openers.held,
      collide: (a, b) => sameAddress(a.hold.address, b.hold.address),
      // Not where in the configuration it stands.
      identity: ({ service, hold }) => ({ service, hold }),
    })
    this.#admin = new Listeners({ open: openers.admin, collide: (a, b) => sameAddress(a.listen, b.listen) })
  }

  get dns(): DnsServer | undefined {
    return this.#dns.parts[0]
  }

  get held(): readonly Held[] {
    return this.#held.parts
  }

  get admin(): AdminServer | undefined {
    return this.#admin.parts[0]
  }

  /** @throws ConduitError EADDRINUSE, EACCES, CONFIG, …: what was before goes on */
  async prepare({ dns, admin, services }: JitsudConfig, hostId: string | undefined): Promise<Change> {
    const held = services.flatMap(({ name, hold: holds }, i) =>
      holds.map((hold, j) => ({ service: name, key: `services[${i}].hold[${j}].address`, hold })),
    )
    return together([
      () => this.#dns.prepare(dns === undefined ? [] : [{ ...dns, hostId }]),
      () => this.#held.prepare(held),
      () => this.#admin.prepare(admin === undefined ? [] : [admin]),
    ])
  }

  /** Nobody can ask any more, but at the admin address. */
  async closeToClients(): Promise<void> {
    await Promise.all([this.#dns.close(), this.#held.close()])
  }

  async close(): Promise<void> {
    await Promise.all([this.closeToClients(), this.#admin.close()])
  }
}

/** All are prepared, or none. */
async function together(preparations: readonly (() => Promise<Change>)[]): Promise<Change> {
  const changes: Change[] = []
  const abandon = async (): Promise<void> => {
    await Promise.all(changes.map((change) => change.abandon()))
  }
  try {
    for (const prepare of preparations) changes.push(await prepare())
  } catch (error) {
    await abandon()
    throw error
  }
  return {
    abandon,
    commit: async () => {
      for (const [i, change] of changes.entries()) {
        await change.commit().catch(async (error: unknown) => {
          await Promise.all(changes.slice(i + 1).map((later) => later.abandon()))
          throw error
        })
      }
    },
  }
}

const ANY_ADDRESS = ['0.0.0.0', '::']

/** Whether the kernel gives the second to nobody while somebody has the first. Port 0 is another one each time. */
function sameAddress(first: string, second: string): boolean {
  const [a, b] = [parseSocketAddress(first), parseSocketAddress(second)]
  if (a === undefined || b === undefined || a.port !== b.port || a.port === 0) return false
  return a.host === b.host || ANY_ADDRESS.includes(a.host) || ANY_ADDRESS.includes(b.host)
}
