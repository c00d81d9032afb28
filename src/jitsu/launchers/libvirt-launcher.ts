// Starts domains that libvirt has a definition of. Started paused, so that the name is kept for the domain before its first
// instruction; resumed where it was suspended; taken as it is where it runs already.
import type { LibvirtLauncherConfig } from '../../../protocol/jitsud-config.js'
import { type Domid, isDomid } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import type { LaunchContext, Launched, Launcher, StopMode } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import type { VirshSession } from './virsh-session.js'

/** How often it is looked whether a domain still runs. */
export const LOOK_MS = 1000

/** A domain's run: libvirt counts them. Plain JSON. */
export interface LibvirtToken {
  readonly uuid: string
  readonly id: number
}

export interface LibvirtParts {
  /** Closed by whoever made it. */
  readonly session: VirshSession
  readonly clock: MonotonicClock
  /** Called once when the launcher is closed. */
  onClose(): void
}

export class LibvirtLauncher implements Launcher {
  readonly kind = 'libvirt'
  readonly stopModes: readonly StopMode[] = ['destroy', 'shutdown', 'suspend']
  readonly #config: LibvirtLauncherConfig
  readonly #parts: LibvirtParts
  #closed = false

  constructor(config: LibvirtLauncherConfig, parts: LibvirtParts) {
    this.#config = config
    this.#parts = parts
  }

  async launch(context: LaunchContext): Promise<Launched> {
    const { service, signal } = context
    const { session } = this.#parts
    const domain = this.#config.domain ?? service
    signal.throwIfAborted()
    const state = await session.command('domstate', domain)
    let paused = state === 'paused'
    if (state === 'shut off' || state === 'crashed') paused = await this.#start(domain)
    else if (!paused && state !== 'running' && state !== 'idle') {
      throw new ConduitError('LAUNCHER', `domain ${domain} is ${state}: it can neither be started nor resumed`, {
        endpoint: domain,
        hint: `virsh -c ${this.#config.uri} domstate ${domain}`,
      })
    }
    const launched = await this.#instance(domain)
    if (launched === undefined) throw new ConduitError('LAUNCHER', `domain ${domain} ended while it was started`)
    try {
      context.step('built')
      await context.created(launched)
      signal.throwIfAborted()
      if (paused) await session.command('resume', domain)
      context.step('unpaused')
      return launched
    } catch (error) {
      await launched.stop('destroy').catch(() => undefined)
      throw error
    }
  }

  async adopt(token: unknown, { service }: LaunchContext): Promise<Launched | undefined> {
    const domain = this.#config.domain ?? service
    const launched = await this.#instance(domain)
    const { uuid, id } = (typeof token === 'object' && token !== null ? token : {}) as Partial<LibvirtToken>
    if (launched?.token.uuid !== uuid || launched?.token.id !== id) return undefined
    const state = await this.#parts.session.command('domstate', domain)
    return state === 'running' || state === 'idle' ? launched : undefined
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#parts.onClose()
  }

  /** Whether it is paused: not every driver of libvirt can build a domain without letting it run. */
  async #start(domain: string): Promise<boolean> {
    const { session } = this.#parts
    try {
      await session.command('start', domain, '--paused')
      return true
    } catch (error) {
      if (!(error as Error).message.includes('unsupported flags')) throw error
      await session.command('start', domain)
      return false
    }
  }

  /** Undefined when it does not run. */
  async #instance(domain: string): Promise<LibvirtDomain | undefined> {
    const { session } = this.#parts
    const id = Number(await session.command('domid', domain))
    const uuid = await session.command('domuuid', domain)
    if (!Number.isSafeInteger(id)) return undefined
    const isXen = this.#config.uri.startsWith('xen:') && isDomid(id)
    return new LibvirtDomain(this.#parts, { domain, token: { uuid, id }, domid: isXen ? (id as Domid) : undefined })
  }
}

class LibvirtDomain implements Launched {
  readonly domid: Domid | undefined
  readonly pid = undefined
  readonly token: LibvirtToken
  readonly ended: Promise<string>
  readonly #parts: LibvirtParts
  readonly #domain: string

  constructor(
    parts: LibvirtParts,
    what: { readonly domain: string; readonly token: LibvirtToken; readonly domid: Domid | undefined },
  ) {
    this.#parts = parts
    this.#domain = what.domain
    this.token = what.token
    this.domid = what.domid
    this.ended = new Promise((resolve) => this.#watch(resolve))
  }

  /** `suspend` keeps it in memory, paused. @throws ConduitError LAUNCHER */
  async stop(mode: StopMode): Promise<void> {
    if (!(await this.#runs())) return
    await this.#parts.session.command(mode, this.#domain)
    if (mode === 'shutdown') await this.ended
  }

  async #runs(): Promise<boolean> {
    return (await this.#parts.session.command('domid', this.#domain)) === String(this.token.id)
  }

  #watch(ended: (how: string) => void): void {
    const again = (): void =>
      this.#parts.clock
        .after(LOOK_MS, () => {
          this.#runs().then(
            (runs) => (runs ? again() : ended(`libvirt's domain ${this.#domain} no longer runs`)),
            // That cannot be told now: a connection that was lost is made anew.
            () => again(),
          )
        })
        .unref()
    again()
  }
}
