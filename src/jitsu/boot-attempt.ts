// One boot: from the launch to the instance's own word that it is ready, within the time allowed. Stops nothing and decides
// nothing about what comes next.
import type { Reservation } from '../../protocol/conduit.js'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import { formatSocketAddress } from '../../protocol/jitsud-hold-config.js'
import { type Deadline, startDeadline, untilAborted } from '../conduit/deadline.js'
import { ConduitError } from '../errors.js'
import type { DirectoryContext } from './directory-context.js'
import type { InstanceDomains } from './instance-domains.js'
import type { LaunchContext, Launched, Launcher } from './launcher.js'
import { accepts } from './readiness/port-readiness.js'
import { untilReady } from './readiness/readiness.js'
import { domainsOf, RunningInstance } from './running-instance.js'
import type { Instance } from './summon.js'
import type { TimelineStep } from './timeline.js'

/** How long a launch that was given up may take to notice. */
export const LAUNCH_GRACE_MS = 10_000

export interface BootParts {
  readonly context: DirectoryContext
  readonly config: ServiceConfig
  readonly launcher: Launcher
  launch(context: LaunchContext): Promise<Launched>
  /** Instead of a launch: what was found running. */
  readonly found?: Launched | undefined
  step(step: TimelineStep): void
  /** Keep the name for the instance. Never rejects. */
  reserve(reservation: Reservation): Promise<void>
  onLaunched(instance: RunningInstance): void
  onActivity(): void
}

export class BootAttempt {
  readonly #parts: BootParts
  readonly #limit: Deadline
  #launching: Promise<Launched> | undefined
  #domains: InstanceDomains | undefined
  #created: Instance | undefined
  #missing = 'the launcher has not come back'

  constructor(parts: BootParts) {
    const { name, ready } = parts.config
    this.#parts = parts
    this.#limit = startDeadline(parts.context.clock, {
      timeoutMs: ready.timeoutSeconds * 1000,
      onTimeout: () =>
        new ConduitError('BOOT_TIMEOUT', `${name} is not ready after ${ready.timeoutSeconds} s: ${this.#missing}`, {
          endpoint: name,
          hint: 'see what it printed (log level debug); ready.timeoutSeconds of the service is the limit',
        }),
    })
  }

  /**
   * @param known that what was found is ready
   * @throws ConduitError BOOT_TIMEOUT, BOOT_FAILED
   */
  async run(known = false): Promise<RunningInstance> {
    try {
      const instance = await this.#launch()
      if (!known) {
        const ended = instance.launched.ended.then((how) => {
          throw this.#failure(`it ended while it booted: ${how}`)
        })
        await Promise.race([this.#ready(instance), ended])
      }
      return instance
    } catch (error) {
      const failure = asFailure(this.#parts.config.name, error)
      this.#limit.abort(failure)
      throw failure
    } finally {
      this.#limit.clear()
    }
  }

  /** Have {@link run} reject with this. */
  giveUp(reason: ConduitError): void {
    this.#limit.abort(reason)
  }

  /** After a failure: what was launched and still has to be stopped, also what comes late. */
  async leftover(): Promise<Launched | undefined> {
    const { clock, log } = this.#parts.context
    const launching = this.#launching
    if (launching === undefined) return undefined
    const nothing = launching.catch(() => undefined)
    const grace = startDeadline(clock, {
      timeoutMs: LAUNCH_GRACE_MS,
      onTimeout: () => new ConduitError('LAUNCHER', 'the launcher does not come back'),
    })
    try {
      return await untilAborted(nothing, grace.signal)
    } catch (error) {
      log.warn(`${this.#parts.config.name}: ${(error as Error).message}`)
      // Whatever it brings then is nobody's.
      void nothing.then((late) => late?.stop('destroy').catch(() => undefined))
      return undefined
    } finally {
      grace.clear()
    }
  }

  /** Idempotent. Not after {@link run} has resolved. */
  close(): void {
    this.#domains?.close()
  }

  async #launch(): Promise<RunningInstance> {
    const { config, context, launcher, launch, step, found } = this.#parts
    await this.#checkPort()
    step('launch')
    const launchContext: LaunchContext = {
      service: config.name,
      signal: this.#limit.signal,
      created: (instance) => this.#onCreated(instance),
      step,
      log: (line) => context.log.debug(line, { service: config.name }),
    }
    this.#launching = found === undefined ? launch(launchContext) : Promise.resolve(found)
    const launched = await untilAborted(this.#launching, this.#limit.signal)
    await this.#onCreated(launched)
    const domains = this.#domains as InstanceDomains
    const instance = new RunningInstance(context, { launched, config, launcher, domains }, () =>
      this.#parts.onActivity(),
    )
    this.#parts.onLaunched(instance)
    return instance
  }

  /** Told twice of the same instance, and of another one where the first, from a pool, was dead. */
  async #onCreated(instance: Instance): Promise<void> {
    const { domid, pid } = instance
    if (this.#created?.domid === domid && this.#created?.pid === pid && this.#domains !== undefined) return
    this.#created = { domid, pid }
    this.#domains?.close()
    this.#domains = domainsOf(this.#parts.context, instance)
    await this.#parts.reserve(this.#domains.reservation)
  }

  /** Another program's port would pass for the service's. */
  async #checkPort(): Promise<void> {
    const { config, context, launcher, found } = this.#parts
    const { ready, addresses } = config
    if (ready.when !== 'port' || launcher.kind !== 'process' || found !== undefined) return
    const address = { host: ready.address ?? addresses[0]!, port: ready.port }
    if (!(await accepts(address, { clock: context.clock, signal: this.#limit.signal }))) return
    throw this.#failure(
      `${formatSocketAddress(address)} is taken: something accepts connections there before it was launched`,
      'end that program (ss -lntp shows it), or let the service listen on another port',
    )
  }

  #ready({ domains }: RunningInstance): Promise<void> {
    const { config, context, step } = this.#parts
    return untilReady(config, {
      service: config.name,
      domains,
      store: context.store,
      clock: context.clock,
      signal: this.#limit.signal,
      alive: () => step('alive'),
      missing: (what) => {
        this.#missing = what
      },
    })
  }

  #failure(why: string, hint = 'see what it printed (log level debug)'): ConduitError {
    const { name } = this.#parts.config
    return new ConduitError('BOOT_FAILED', `${name} could not be booted: ${why}`, { endpoint: name, hint })
  }
}

/** Whatever a launcher throws, it is the boot that failed. */
function asFailure(name: string, error: unknown): ConduitError {
  if (error instanceof ConduitError && (error.code === 'BOOT_FAILED' || error.code === 'BOOT_TIMEOUT')) return error
  const message = error instanceof Error ? error.message : String(error)
  return new ConduitError('BOOT_FAILED', `${name} could not be booted: ${message}`, {
    endpoint: name,
    hint: error instanceof ConduitError ? error.hint : undefined,
    cause: error,
  })
}
