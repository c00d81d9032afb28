// How each thing that listens for jitsud is opened, with failures in the words of the configuration.
import { parseSocketAddress } from '../../protocol/jitsud-hold-config.js'
import { AdminServer } from './admin/admin-server.js'
import { atKey } from './at-key.js'
import { DnsServer } from './dns/dns-server.js'
import type { HeldServices } from './held-services.js'
import type { JitsudOpeners } from './jitsud-listeners.js'
import type { JitsudView } from './jitsud-view.js'
import type { Logger } from './logger.js'
import type { Services } from './summon.js'

/** What they live on. */
export interface OpenersParts {
  readonly services: Services
  readonly held: HeldServices
  readonly view: JitsudView
  readonly log: Logger
}

export function jitsudOpeners({ services, held, view, log }: OpenersParts): JitsudOpeners {
  return {
    dns: (config) => atKey('dns.listen', () => DnsServer.listen({ ...config, services })),
    held: (config) => atKey(config.key, () => held.open(config)),
    admin: async ({ listen }) => {
      await view.openMetrics()
      return AdminServer.listen({ listen: parseSocketAddress(listen)!, source: view, log })
    },
  }
}
