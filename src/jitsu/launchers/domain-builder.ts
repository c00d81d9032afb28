// The domain builder that all services of a jitsud share: one long-lived process, started anew when it has died.
import type { Domid } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { type BuildRequest, type DomainIdentity, type DomainState, parseIdentity } from './builder-messages.js'
import { type Asked, BuilderProcess, type BuilderProcessOptions } from './builder-process.js'

export class DomainBuilder {
  readonly #options: BuilderProcessOptions
  #process: BuilderProcess | undefined
  #listing: Promise<readonly DomainState[]> | undefined
  #closed = false

  constructor(options: BuilderProcessOptions) {
    this.#options = options
  }

  /** Of the process that runs. */
  get pid(): number | undefined {
    return this.#process?.over === false ? this.#process.pid : undefined
  }

  /** Start it, if it does not run. @throws ConduitError LAUNCHER when it cannot work here: the hint says what to do */
  async ready(): Promise<void> {
    await this.#running().ready
  }

  /**
   * A domain, paused. A builder that dies meanwhile leaves something that the next one takes away.
   * @param onCreated it has its number, and is being filled
   * @throws ConduitError LAUNCHER: `syscall` is the step that failed
   */
  async build(request: BuildRequest, onCreated?: (identity: DomainIdentity) => void): Promise<DomainIdentity> {
    const built = await this.#ask({
      what: `domain ${request.name} cannot be built`,
      request: { build: request },
      onCreated,
    })
    const identity = parseIdentity(built)
    if (identity === undefined) throw new ConduitError('LAUNCHER', 'the domain builder gave no domain')
    return identity
  }

  /** @throws ConduitError LAUNCHER */
  async unpause({ domid, uuid }: DomainIdentity): Promise<void> {
    await this.#ask({ what: `domain ${domid} cannot be let run`, request: { unpause: { domid, uuid } } })
  }

  /** @throws ConduitError LAUNCHER, also for a name that is taken */
  async rename({ domid, uuid }: DomainIdentity, name: string): Promise<void> {
    await this.#ask({ what: `domain ${domid} cannot be named ${name}`, request: { rename: { domid, uuid, name } } })
  }

  /** Idempotent: one that is gone is what was wanted. @throws ConduitError LAUNCHER */
  async destroy({ domid, uuid }: DomainIdentity): Promise<void> {
    await this.#askAgain({ what: `domain ${domid} cannot be destroyed`, request: { destroy: { domid, uuid } } })
  }

  /** Whatever Xen says of it now; undefined when it is gone, or on its way. @throws ConduitError LAUNCHER */
  async find({ domid, uuid }: DomainIdentity): Promise<DomainState | undefined> {
    const domains = await this.#list()
    return domains.find((each) => each.domid === domid && each.uuid === uuid && each.dying !== true)
  }

  /** Whether there is any domain of that number, dying ones too. @throws ConduitError LAUNCHER */
  async exists(domid: Domid): Promise<boolean> {
    return (await this.#list()).some((each) => each.domid === domid)
  }

  /** Ends it, with what was built and not let run. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#process?.close()
  }

  /** One list for all that ask in the same turn: each end of a domain makes everybody look. */
  #list(): Promise<readonly DomainState[]> {
    this.#listing ??= new Promise((resolve) => setImmediate(resolve)).then(async () => {
      this.#listing = undefined
      const answer = await this.#askAgain({ what: 'domains cannot be listed', request: { list: {} } })
      return (answer as { readonly domains: readonly (DomainState & { readonly domid: Domid })[] }).domains
    })
    return this.#listing
  }

  #running(): BuilderProcess {
    if (this.#closed) throw new ConduitError('LAUNCHER', 'the domain builder was closed')
    if (this.#process === undefined || this.#process.over) this.#process = new BuilderProcess(this.#options)
    return this.#process
  }

  async #ask(asked: Asked): Promise<unknown> {
    const running = this.#running()
    await running.ready
    return running.ask(asked)
  }

  /** For what may be done twice: once more, where the builder has died of something else. */
  async #askAgain(asked: Asked): Promise<unknown> {
    try {
      return await this.#ask(asked)
    } catch (error) {
      if (this.#closed || !(error instanceof ConduitError) || error.errno !== 'EPIPE') throw error
      return this.#ask(asked)
    }
  }
}
