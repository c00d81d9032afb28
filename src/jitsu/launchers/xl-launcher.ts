// Starts Xen domains with `xl`, in dom0. A domain is built paused, so that its name is kept for it before its first instruction.
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { XlLauncherConfig } from '../../../protocol/jitsud-config.js'
import { type Domid, isDomid } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { LaunchContext, Launched, Launcher, StopMode } from '../launcher.js'
import { run, type Tool } from './command-run.js'
import { xlConfig } from './xl-config.js'
import { launcherFault, vmOf, XlDomain, type XlToken } from './xl-domain.js'

export interface XlLauncherOptions {
  /** Private to this user: configurations and images of suspended domains lie there. */
  readonly directory: string
  readonly environment: NodeJS.ProcessEnv
  /** Xen's own, with dom0's rights. */
  readonly store: XenstoreClient
  /** `xl` by default. */
  readonly program?: string | undefined
}

export class XlLauncher implements Launcher {
  readonly kind = 'xl'
  readonly stopModes: readonly StopMode[] = ['destroy', 'shutdown', 'suspend']
  readonly #config: XlLauncherConfig
  readonly #options: XlLauncherOptions
  readonly #tool: Tool
  readonly #domains = new Set<XlDomain>()

  constructor(config: XlLauncherConfig, options: XlLauncherOptions) {
    this.#config = config
    this.#options = options
    this.#tool = { program: options.program ?? 'xl', environment: options.environment }
  }

  async launch(context: LaunchContext): Promise<Launched> {
    const { service, signal, log } = context
    signal.throwIfAborted()
    if (!(await this.#restore(context))) {
      const file = this.#file(service, 'cfg')
      await writeFile(file, xlConfig(service, this.#config), { mode: 0o600 })
      await this.#build(service, ['create', '-p', '-q', file], context)
    }
    const domid = await this.#domidOf(service)
    if (domid === undefined)
      throw launcherFault(`xl built ${service} and does not know it`, 'see xl list, and /var/log/xen')
    try {
      context.step('built')
      await context.created({ domid, pid: undefined })
      const domain = await this.#domain(service, domid)
      signal.throwIfAborted()
      await run(this.#tool, ['unpause', String(domid)], { signal, log })
      context.step('unpaused')
      return domain
    } catch (error) {
      await run(this.#tool, ['destroy', String(domid)], { log }).catch(() => undefined)
      throw error
    }
  }

  async adopt(token: unknown, { service }: LaunchContext): Promise<Launched | undefined> {
    const known = parseToken(token)
    if (known === undefined || (await vmOf(this.#options.store, known.domid)) !== known.vm) return undefined
    return this.#keep(service, known)
  }

  async close(): Promise<void> {
    for (const domain of this.#domains) domain.release()
    this.#domains.clear()
  }

  /** What an interrupted `xl` leaves half-built is taken away. @throws ConduitError LAUNCHER; the signal's reason */
  async #build(service: string, args: readonly string[], { signal, log }: LaunchContext): Promise<void> {
    const there = await this.#domidOf(service)
    if (there !== undefined) {
      throw launcherFault(
        `a domain named ${service} runs already, as domain ${there}`,
        `xl destroy ${service}, or rename the service`,
      )
    }
    try {
      await run(this.#tool, args, { signal, log })
    } catch (error) {
      const half = await this.#domidOf(service)
      if (half !== undefined) await run(this.#tool, ['destroy', String(half)], { log }).catch(() => undefined)
      throw error
    }
  }

  /** What was suspended comes back, once: an image that was run is of the past. False when there is none. */
  async #restore(context: LaunchContext): Promise<boolean> {
    const image = this.#file(context.service, 'save')
    const taken = `${image}.restored`
    const there = await rename(image, taken).then(
      () => true,
      () => false,
    )
    if (!there) return false
    try {
      await this.#build(context.service, ['restore', '-p', taken], context)
      return true
    } finally {
      await rm(taken, { force: true })
    }
  }

  async #domidOf(service: string): Promise<Domid | undefined> {
    const text = await run(this.#tool, ['domid', service]).catch((error: unknown) => {
      // Its own word for "there is none" is its exit status.
      if (error instanceof ConduitError && error.errno === 'exit status 1') return ''
      throw error
    })
    const digits = /^([0-9]{1,5})\s*$/.exec(text)?.[1]
    return digits !== undefined && isDomid(Number(digits)) ? (Number(digits) as Domid) : undefined
  }

  async #domain(service: string, domid: Domid): Promise<XlDomain> {
    const vm = await vmOf(this.#options.store, domid)
    if (vm === undefined) throw launcherFault(`domain ${domid} is gone before it began`, 'see /var/log/xen')
    return this.#keep(service, { domid, vm })
  }

  #keep(service: string, token: XlToken): XlDomain {
    const domain = new XlDomain({
      tool: this.#tool,
      store: this.#options.store,
      token,
      image: this.#file(service, 'save'),
    })
    this.#domains.add(domain)
    void domain.ended.then(() => this.#domains.delete(domain))
    return domain
  }

  #file(service: string, suffix: string): string {
    return join(this.#options.directory, `${service}.${suffix}`)
  }
}

function parseToken(token: unknown): XlToken | undefined {
  if (typeof token !== 'object' || token === null) return undefined
  const { domid, vm } = token as Partial<Record<keyof XlToken, unknown>>
  return typeof domid === 'number' && isDomid(domid) && domid > 0 && typeof vm === 'string' ? { domid, vm } : undefined
}
