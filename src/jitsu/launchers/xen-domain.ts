// A domain that the domain builder has built and let run. Nobody but jitsud looks after it: one that has ended itself is destroyed here.
import { domainPath } from '../../../protocol/conduit.js'
import type { Domid } from '../../../protocol/xen.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { Launched, StopMode } from '../launcher.js'
import type { DomainIdentity } from './builder-messages.js'
import type { DomainBuilder } from './domain-builder.js'
import { domainEnd } from './domain-end.js'
import type { XenDevices } from './xen-devices.js'

export interface XenDomainParts {
  readonly builder: DomainBuilder
  readonly store: XenstoreClient
  readonly identity: DomainIdentity
  readonly devices: XenDevices
  /** Its keys were there before it ran. */
  readonly provisionedPort?: string | undefined
}

/** Xen's reasons (xen/include/public/sched.h), for people. A suspended domain is being saved by somebody: it has not ended. */
const ENDS: Readonly<Record<string, string>> = {
  poweroff: 'has shut down',
  reboot: 'has shut down to reboot',
  crash: 'has crashed',
  watchdog: 'was ended by its watchdog',
}

export class XenDomain implements Launched {
  readonly domid: Domid
  readonly pid = undefined
  readonly provisionedPort: string | undefined
  readonly token: DomainIdentity
  readonly ended: Promise<string>
  readonly #parts: XenDomainParts
  readonly #watching = new AbortController()

  constructor(parts: XenDomainParts) {
    this.#parts = parts
    this.provisionedPort = parts.provisionedPort
    this.token = parts.identity
    this.domid = parts.identity.domid
    this.ended = domainEnd({
      store: parts.store,
      domid: this.domid,
      signal: this.#watching.signal,
      look: () => this.#look(),
    })
  }

  /** @throws ConduitError LAUNCHER */
  async stop(mode: StopMode): Promise<void> {
    if (mode === 'shutdown') await this.#askToEnd()
    else await this.destroy()
    await this.ended
  }

  /** Idempotent. @throws ConduitError LAUNCHER */
  async destroy(): Promise<void> {
    const { builder, devices } = this.#parts
    // Before its nodes go: the back ends find theirs by them.
    await devices.detach()
    await builder.destroy(this.token)
  }

  /** Without an end: nobody looks any more. */
  release(): void {
    this.#watching.abort()
  }

  async #look(): Promise<string | undefined> {
    const { builder } = this.#parts
    const state = await builder.find(this.token)
    if (state === undefined) {
      await this.#parts.devices.detach()
      return `domain ${this.domid} is gone`
    }
    const { shutdown } = state
    if (shutdown === undefined || shutdown === 'suspend') return undefined
    await this.destroy()
    return `domain ${this.domid} ${ENDS[shutdown] ?? `has ended (${shutdown})`}`
  }

  /** By the node that every guest watches (xen:docs/misc/xenstore-paths.pandoc, control/shutdown). */
  async #askToEnd(): Promise<void> {
    const { builder, store } = this.#parts
    if ((await builder.find(this.token)) === undefined) return
    await store.write(`${domainPath(this.domid)}/control/shutdown`, 'poweroff')
  }
}
