// A domain that is built and has not run, and what becomes of it: launched once, or taken away.
import type { Domid } from '../../../protocol/xen.js'
import type { LaunchContext, Launched, Prepared } from '../launcher.js'
import type { DomainIdentity } from './builder-messages.js'
import type { XenDomain } from './xen-domain.js'

export interface XenPreparedParts {
  readonly memoryBytes: number
  /** Give it its name and let it run. */
  launch(context: LaunchContext): Promise<Launched>
}

export class XenPrepared implements Prepared {
  readonly domid: Domid
  readonly pid = undefined
  readonly token: DomainIdentity
  readonly ended: Promise<string>
  readonly memoryBytes: number
  readonly #domain: XenDomain
  readonly #parts: XenPreparedParts
  #taken = false

  constructor(domain: XenDomain, parts: XenPreparedParts) {
    this.#domain = domain
    this.#parts = parts
    this.domid = domain.domid
    this.token = domain.token
    this.ended = domain.ended
    this.memoryBytes = parts.memoryBytes
  }

  async launch(context: LaunchContext): Promise<Launched> {
    if (this.#taken) throw new TypeError('a prepared instance is launched once')
    this.#taken = true
    try {
      return await this.#parts.launch(context)
    } catch (error) {
      await this.#domain.destroy().catch(() => undefined)
      throw error
    }
  }

  async discard(): Promise<void> {
    if (this.#taken) return
    await this.#domain.stop('destroy')
    this.#taken = true
  }
}
