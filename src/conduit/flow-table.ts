// A process's part of the table of open connections under /conduit/flows, for people to read: a line each for as many as fit,
// and a count of the others. What cannot be written costs the table a line and nothing else.
import { randomBytes } from 'node:crypto'
import { FLOW_LINES, type FlowEntry, flowsPath, formatFlow, unlistedNode } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { Background } from './background.js'

export class FlowTable {
  readonly #store: XenstoreClient
  readonly #background: Background
  readonly #domid: () => Domid
  readonly #countNode = unlistedNode(randomBytes(4).toString('hex'))
  readonly #listed = new Set<string>()
  /** Without a line, the oldest first. */
  readonly #waiting = new Map<string, FlowEntry>()
  /** Without a line because theirs could not be written. */
  readonly #refused = new Set<string>()
  #counted = 0
  #updating = false

  constructor(store: XenstoreClient, background: Background, domid: () => Domid) {
    this.#store = store
    this.#background = background
    this.#domid = domid
  }

  /** Add a connection; the function returned takes it away again. */
  add(connectionId: string, flow: FlowEntry): () => void {
    this.#waiting.set(connectionId, flow)
    // Its socket goes out first, and one that has ended by then is not written down at all.
    this.#background.later(async () => this.#update())
    return () => {
      this.#waiting.delete(connectionId)
      this.#refused.delete(connectionId)
      if (this.#listed.delete(connectionId)) this.#background.run(this.#store.remove(this.#path(connectionId)))
      this.#updateInTick()
    }
  }

  /** Once for all that end in a tick, and before a name is given back: the registrar then takes an empty table away. */
  #updateInTick(): void {
    if (this.#updating) return
    this.#updating = true
    process.nextTick(() => {
      this.#updating = false
      this.#update()
    })
  }

  /** Lines for the oldest that have none, as far as there is room; then the count of the others. */
  #update(): void {
    for (const [connectionId, flow] of this.#waiting) {
      if (this.#listed.size >= FLOW_LINES) break
      this.#waiting.delete(connectionId)
      this.#listed.add(connectionId)
      this.#background.run(this.#write(connectionId, flow))
    }
    const count = this.#waiting.size + this.#refused.size
    if (count === this.#counted) return
    this.#counted = count
    const path = this.#path(this.#countNode)
    this.#background.run(count === 0 ? this.#store.remove(path) : this.#store.write(path, String(count)))
  }

  async #write(connectionId: string, flow: FlowEntry): Promise<void> {
    try {
      await this.#store.write(this.#path(connectionId), formatFlow(flow))
    } catch {
      // Full, by other processes of this domain: it is counted, and its place in our own part is free again.
      if (!this.#listed.delete(connectionId)) return
      this.#refused.add(connectionId)
      this.#updateInTick()
    }
  }

  #path(child: string): string {
    return `${flowsPath(this.#domid())}/${child}`
  }
}
