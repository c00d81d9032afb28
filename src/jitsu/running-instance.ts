// What runs of a service: the launcher's hold on it, its domains, its open connections. Stops nothing.
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import type { Domid } from '../../protocol/xen.js'
import type { DirectoryContext } from './directory-context.js'
import { domainOf, type InstanceDomains } from './instance-domains.js'
import type { Launched, Launcher } from './launcher.js'
import { ServiceFlows } from './service-flows.js'
import type { Instance } from './summon.js'

/** No domain at all: it may run anywhere. */
const NOWHERE: InstanceDomains = {
  domids: [],
  reservation: { kind: 'nobody' },
  onChange: () => () => undefined,
  close: () => undefined,
}

/** Where an instance is to be found. Close it. */
export function domainsOf({ processes, processDomid }: DirectoryContext, { domid, pid }: Instance): InstanceDomains {
  if (domid !== undefined) return domainOf(domid)
  if (pid === undefined) return NOWHERE
  return processDomid === undefined ? processes.track(pid) : domainOf(processDomid)
}

export class RunningInstance implements Instance {
  readonly launched: Launched
  /** As it was when this was launched. */
  readonly config: ServiceConfig
  readonly launcher: Launcher
  readonly #domains: InstanceDomains
  readonly #flows: ServiceFlows
  #over = false

  /** Takes `domains` over. `onActivity` runs when somebody connects or goes. */
  constructor(
    context: DirectoryContext,
    parts: {
      readonly launched: Launched
      readonly config: ServiceConfig
      readonly launcher: Launcher
      readonly domains: InstanceDomains
    },
    onActivity: () => void,
  ) {
    this.launched = parts.launched
    this.config = parts.config
    this.launcher = parts.launcher
    this.#domains = parts.domains
    this.#flows = new ServiceFlows(context.store, { name: parts.config.name, domains: parts.domains }, onActivity)
    void this.launched.ended.then(() => {
      this.#over = true
    })
  }

  get domid(): Domid | undefined {
    return this.launched.domid ?? this.#domains.domids[0]
  }

  get pid(): number | undefined {
    return this.launched.pid
  }

  get domains(): InstanceDomains {
    return this.#domains
  }

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over
  }

  /** Whether anybody is connected to it by conduit. */
  hasFlows(): Promise<boolean> {
    return this.#flows.areOpen()
  }

  /** Forget it. Idempotent. */
  close(): void {
    this.#flows.close()
    this.#domains.close()
  }
}
