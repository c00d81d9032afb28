// Builds Xen domains directly, in dom0: one builder for all, no xl, no device model. A domain's name is kept for it, and its devices are
// attached, while its memory is filled; it runs when all of that is done.
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import type { XenLauncherConfig } from '../../../protocol/jitsud-config.js'
import { GREF_FIRST } from '../../../protocol/xen.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { LaunchContext, Launched, Launcher, PrepareContext, Prepared, StopMode } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { allOf } from './all-of.js'
import { type BuildRequest, type DomainIdentity, parseIdentity } from './builder-messages.js'
import type { DomainBuilder } from './domain-builder.js'
import { type DeviceSpec, parseDisk, parseVif } from './xen-device-spec.js'
import { XenDevices } from './xen-devices.js'
import { XenDomain } from './xen-domain.js'
import { XenPrepared } from './xen-prepared.js'

export interface XenLauncherParts {
  readonly builder: DomainBuilder
  /** Xen's own, with dom0's rights. */
  readonly store: XenstoreClient
  readonly environment: NodeJS.ProcessEnv
  readonly clock: MonotonicClock
  /** Called once when the launcher is closed. */
  onClose(): Promise<void>
}

interface BuildPlan {
  log(line: string): void
  /** Not wanted any more: nothing is to be left. */
  readonly signal: AbortSignal
  readonly onBuilt?: () => void
  /** Done while the domain is built; then it runs. */
  readonly beforeRun?: (identity: DomainIdentity) => Promise<void>
}

export class XenLauncher implements Launcher {
  readonly kind = 'xen'
  readonly stopModes: readonly StopMode[] = ['destroy', 'shutdown']
  readonly canKeepWarm = true
  readonly preparedBytes: number
  readonly #config: XenLauncherConfig
  readonly #parts: XenLauncherParts
  readonly #specs: readonly DeviceSpec[]
  readonly #domains = new Set<XenDomain>()
  #closed = false

  /** @throws ConduitError CONFIG for devices that take more than a kernel's back end */
  constructor(config: XenLauncherConfig, parts: XenLauncherParts) {
    this.#config = config
    this.#parts = parts
    this.#specs = [
      ...config.vif.map(parseVif),
      ...config.disk.map((text) =>
        parseDisk(text, (path) => statSync(path, { throwIfNoEntry: false })?.isBlockDevice() ?? false),
      ),
    ]
    this.preparedBytes = config.memoryMib * 2 ** 20
  }

  async launch(context: LaunchContext): Promise<Launched> {
    const { service, signal, step, log } = context
    signal.throwIfAborted()
    const domain = await this.#build(service, {
      log,
      signal,
      onBuilt: () => step('built'),
      beforeRun: async ({ domid }) => {
        await context.created({ domid, pid: undefined })
        signal.throwIfAborted()
      },
    })
    step('unpaused')
    return domain
  }

  async prepare({ service, signal, log }: PrepareContext): Promise<Prepared> {
    signal.throwIfAborted()
    const name = `${service}.warm-${randomBytes(4).toString('hex')}`
    const domain = await this.#build(name, { log, signal })
    return new XenPrepared(domain, {
      memoryBytes: this.preparedBytes,
      launch: async (context) => {
        context.signal.throwIfAborted()
        const { builder } = this.#parts
        await allOf([
          builder.rename(domain.token, context.service),
          context.created({ domid: domain.domid, pid: undefined }),
        ])
        context.signal.throwIfAborted()
        await builder.unpause(domain.token)
        context.step('unpaused')
        return domain
      },
    })
  }

  async adopt(token: unknown, { log }: LaunchContext): Promise<Launched | undefined> {
    const identity = parseIdentity(token)
    if (identity === undefined) return undefined
    const { builder } = this.#parts
    const state = await builder.find(identity)
    const devices = this.#devices(identity, log)
    if (state !== undefined && state.shutdown === undefined) return this.#keep(identity, devices)
    // It has ended meanwhile, and nobody has cleaned up.
    await devices.detach()
    await builder.destroy(identity)
    return undefined
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const domain of this.#domains) domain.release()
    this.#domains.clear()
    await this.#parts.onClose()
  }

  /** With its devices; paused, unless something is to be done before it runs. What fails leaves nothing. */
  async #build(name: string, { log, signal, onBuilt, beforeRun }: BuildPlan): Promise<XenDomain> {
    const { builder } = this.#parts
    const beside: Promise<unknown>[] = []
    let devices: XenDevices | undefined
    let built: DomainIdentity | undefined
    try {
      built = await builder.build(this.#request(name), (identity) => {
        devices = this.#devices(identity, log)
        const attached = devices.attach()
        beside.push(
          quietly(beforeRun === undefined ? attached : this.#letRun(identity, [attached, beforeRun(identity)])),
        )
      })
      onBuilt?.()
      await allOf(beside)
      signal.throwIfAborted()
      return this.#keep(built, devices ?? this.#devices(built, log))
    } catch (error) {
      await Promise.allSettled(beside)
      await devices?.detach().catch(() => undefined)
      if (built !== undefined) await builder.destroy(built).catch(() => undefined)
      throw error
    }
  }

  /** As soon as all is done that must be before: the builder may still be at the build, and does one after the other. */
  async #letRun(identity: DomainIdentity, before: readonly Promise<unknown>[]): Promise<void> {
    await allOf(before)
    await this.#parts.builder.unpause(identity)
  }

  #request(name: string): BuildRequest {
    const { kernel, ramdisk, type, memoryMib, vcpus, cmdline, provisioned } = this.#config
    const base = { kernel, ramdisk, name, type, memoryKiB: memoryMib * 1024, vcpus }
    if (provisioned === undefined) return { ...base, cmdline }
    const { port } = provisioned
    return {
      ...base,
      cmdline: `${cmdline} port=${port}`.trimStart(),
      provisioned: { peer: 0, path: `data/vchan/0/${port}`, gref: GREF_FIRST },
    }
  }

  #devices({ domid }: DomainIdentity, log: (line: string) => void): XenDevices {
    const { store, environment, clock } = this.#parts
    return new XenDevices({ store, environment, clock, domid, specs: this.#specs, log })
  }

  #keep(identity: DomainIdentity, devices: XenDevices): XenDomain {
    const { builder, store } = this.#parts
    const provisionedPort = this.#config.provisioned?.port
    const domain = new XenDomain({ builder, store, identity, devices, provisionedPort })
    this.#domains.add(domain)
    void domain.ended.then(() => this.#domains.delete(domain))
    return domain
  }
}

/** One that is waited for later: its failure is not nobody's. */
function quietly(work: Promise<unknown>): Promise<unknown> {
  work.catch(() => undefined)
  return work
}
