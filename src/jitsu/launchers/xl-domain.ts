// A domain that xl runs: its end is seen in the store, and how it is stopped is xl's business.
import { domainPath } from '../../../protocol/conduit.js'
import type { Domid } from '../../../protocol/xen.js'
import { ConduitError, isConduitError } from '../../errors.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { Launched, StopMode } from '../launcher.js'
import { run, type Tool } from './command-run.js'
import { domainEnd } from './domain-end.js'

/** Names a domain for as long as the machine is up: domids are given again. Plain JSON. */
export interface XlToken {
  readonly domid: Domid
  /** `/vm` of the domain: with its UUID. */
  readonly vm: string
}

export interface XlDomainParts {
  readonly tool: Tool
  readonly store: XenstoreClient
  readonly token: XlToken
  /** Where `suspend` saves it. */
  readonly image: string
}

/** What the store says that names the domain beyond its number; undefined when there is no such domain. */
export async function vmOf(store: XenstoreClient, domid: Domid): Promise<string | undefined> {
  if (!(await store.isDomainIntroduced(domid))) return undefined
  return store.readText(`${domainPath(domid)}/vm`).catch((error: unknown) => {
    if (!isConduitError(error, 'ENOENT')) throw error
    return undefined
  })
}

export class XlDomain implements Launched {
  readonly domid: Domid
  readonly pid = undefined
  readonly token: XlToken
  readonly ended: Promise<string>
  readonly #parts: XlDomainParts
  readonly #watching = new AbortController()

  constructor(parts: XlDomainParts) {
    this.#parts = parts
    this.token = parts.token
    this.domid = parts.token.domid
    this.ended = this.#end()
  }

  /** @throws ConduitError LAUNCHER */
  async stop(mode: StopMode): Promise<void> {
    const { tool, image, store, token } = this.#parts
    const id = String(this.domid)
    if ((await vmOf(store, this.domid)) !== token.vm) return
    if (mode === 'destroy') await run(tool, ['destroy', id])
    else if (mode === 'shutdown') await run(tool, ['shutdown', id])
    else await run(tool, ['save', id, image])
    await this.ended
  }

  /** Without an end: nobody looks any more. */
  release(): void {
    this.#watching.abort()
  }

  #end(): Promise<string> {
    const { store, token } = this.#parts
    return domainEnd({
      store,
      domid: this.domid,
      signal: this.#watching.signal,
      look: async () => ((await vmOf(store, this.domid)) === token.vm ? undefined : `domain ${this.domid} is gone`),
    })
  }
}

export const launcherFault = (message: string, hint: string): ConduitError =>
  new ConduitError('LAUNCHER', message, { hint })
