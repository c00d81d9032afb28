// Which domains of the local hypervisor belong to programs that jitsud has started: the hypervisor writes down each domain's
// process, and the kernel knows its session. Follows the store only while somebody asks.
import { domainPath } from '../../protocol/conduit.js'
import { DOMAIN_PROCESS_KEY } from '../../protocol/local-control.js'
import type { Domid } from '../../protocol/xen.js'
import { DomainFollower } from '../conduit/domain-follower.js'
import { isConduitError } from '../errors.js'
import { processStat } from '../process-stat.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { InstanceDomains } from './instance-domains.js'

/** Domains of one program that are told of: one with more is served, and its other domains are not looked at. */
const DOMAINS_PER_PROGRAM = 16

/** What is known of a domain's process; no session where it has gone, or the domain is none of this machine's processes. */
interface DomainProcess {
  readonly pid: number
  readonly sid: number | undefined
}

interface Tracked {
  readonly pid: number
  readonly domids: Domid[]
  readonly listeners: Set<() => void>
}

export class ProcessDomains {
  readonly #store: XenstoreClient
  /** Of each domain that lives. */
  readonly #processes = new Map<Domid, DomainProcess>()
  readonly #tracked = new Set<Tracked>()
  #follower: Promise<DomainFollower> | undefined
  readonly #stopReconnect: () => void

  constructor(store: XenstoreClient) {
    this.#store = store
    // A restored watch fires before requests are possible again.
    this.#stopReconnect = store.onReconnect(() => this.#lookAgain())
  }

  /** The domains of a process, and of its session where it leads one, from now on. Close it. */
  track(pid: number): InstanceDomains {
    const tracked: Tracked = { pid, domids: [], listeners: new Set() }
    this.#tracked.add(tracked)
    for (const [domid, known] of this.#processes) if (isOf(known, pid)) add(tracked, domid)
    this.#follow()
    const leads = processStat(pid)?.session === pid
    return {
      get domids() {
        return tracked.domids
      },
      reservation: leads ? { kind: 'session', sid: pid } : { kind: 'process', pid },
      onChange: (listener) => {
        tracked.listeners.add(listener)
        return () => tracked.listeners.delete(listener)
      },
      close: () => {
        this.#tracked.delete(tracked)
        if (this.#tracked.size === 0) void this.#rest()
      },
    }
  }

  /** Resolves when nothing is watched any more. Idempotent. */
  async close(): Promise<void> {
    this.#stopReconnect()
    this.#tracked.clear()
    await this.#rest()
  }

  #follow(): void {
    if (this.#follower !== undefined) return
    const follower = DomainFollower.start(this.#store, {
      known: () => [...this.#processes.keys()],
      onIntroduced: (domid) => this.#introduced(domid),
      onReleased: async (domid) => this.#released(domid),
    })
    this.#follower = follower
    // The store is away: once it is back.
    follower.catch(() => {
      const stop = this.#store.onReconnect(() => {
        stop()
        if (this.#follower !== follower) return
        this.#follower = undefined
        if (this.#tracked.size > 0) this.#follow()
      })
    })
  }

  #lookAgain(): void {
    this.#follower?.then((started) => started.sync()).catch(() => undefined)
  }

  async #rest(): Promise<void> {
    const follower = this.#follower
    this.#follower = undefined
    this.#processes.clear()
    await follower?.then((started) => started.close()).catch(() => undefined)
  }

  async #introduced(domid: Domid): Promise<void> {
    if (this.#processes.has(domid)) return
    const text = await this.#store.readText(`${domainPath(domid)}/${DOMAIN_PROCESS_KEY}`).catch(undefinedWhenMissing)
    // A domain of Xen's has none.
    const pid = Number(text ?? 0)
    if (this.#follower === undefined || this.#processes.has(domid)) return
    const known = { pid, sid: processStat(pid)?.session }
    this.#processes.set(domid, known)
    for (const tracked of this.#tracked) if (isOf(known, tracked.pid) && add(tracked, domid)) tell(tracked)
  }

  #released(domid: Domid): void {
    this.#processes.delete(domid)
    for (const tracked of this.#tracked) {
      const at = tracked.domids.indexOf(domid)
      if (at < 0) continue
      tracked.domids.splice(at, 1)
      tell(tracked)
    }
  }
}

const isOf = (known: DomainProcess, pid: number): boolean => known.pid === pid || known.sid === pid

function undefinedWhenMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}

function add(tracked: Tracked, domid: Domid): boolean {
  if (tracked.domids.length >= DOMAINS_PER_PROGRAM || tracked.domids.includes(domid)) return false
  tracked.domids.push(domid)
  return true
}

function tell(tracked: Tracked): void {
  for (const listener of [...tracked.listeners]) listener()
}
