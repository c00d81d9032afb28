// Event channels between domains: numbers per domain, unbound until the one peer named binds, events that coalesce.
import { type Domid, type EvtchnPort, evtchnPort } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import type { EventChannel, EventHandler, SpinWatch, Wake } from '../substrate.js'
import type { EventQueue } from './event-queue.js'
import type { Faults } from './faults.js'

class MemoryPort implements EventChannel {
  readonly port: EvtchnPort
  /** A turn of the event loop. */
  readonly wakeMicros = 1
  readonly owner: Domid
  readonly allowed: Domid
  remote: MemoryPort | undefined
  #handler: EventHandler | undefined
  #pending = false
  #closed = false
  #watch: SpinWatch | undefined
  #holders = 1
  readonly #queue: EventQueue
  readonly #faults: Faults
  readonly #onClose: (port: MemoryPort) => void

  constructor(
    owner: Domid,
    allowed: Domid,
    port: EvtchnPort,
    table: { queue: EventQueue; faults: Faults; onClose: (port: MemoryPort) => void },
  ) {
    this.owner = owner
    this.allowed = allowed
    this.port = port
    this.#queue = table.queue
    this.#faults = table.faults
    this.#onClose = table.onClose
  }

  get closed(): boolean {
    return this.#closed
  }

  notify(): void {
    if (this.#closed) return
    this.kickRemote()
  }

  /** The kick itself, which outlives close() for an unmap notification. */
  kickRemote(): void {
    const copies = this.#faults.deliveries()
    for (let copy = 0; copy < copies; copy++) this.remote?.take(copy > 0)
  }

  take(again = false): void {
    if (this.#closed || (this.#pending && !again)) return
    this.#pending = true
    if (this.#handler !== undefined) this.#queue.push(() => this.#deliver('event'))
  }

  onEvent(handler: EventHandler): void {
    const first = this.#handler === undefined
    this.#handler = handler
    if (first && this.#pending) this.#queue.push(() => this.#deliver('event'))
  }

  spinOn(watch: SpinWatch): void {
    this.#watch = watch
  }

  /** Nothing else runs while this would spin, so a word has moved already or does not. */
  spin(): boolean {
    return !this.#closed && this.#moved()
  }

  // Nothing outside this process can wake it up: a port that would keep the loop alive could only hang it.
  ref(): void {}

  unref(): void {}

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#onClose(this)
      this.release()
    }
    return Promise.resolve()
  }

  retain(): void {
    this.#holders++
  }

  release(): void {
    if (--this.#holders > 0) return
    if (this.remote !== undefined) this.remote.remote = undefined
    this.remote = undefined
  }

  #deliver(wake: Wake): void {
    if (this.#closed) return
    if (wake === 'event') this.#pending = false
    const micros = this.#handler?.(wake) ?? 0
    // A spin takes one turn here: by then a word has moved, or the time is up.
    if (micros > 0) this.#queue.push(() => this.#deliver(this.#moved() ? 'moved' : 'idle'))
  }

  #moved(): boolean {
    if (this.#watch === undefined || this.#watch.pages.closed) return false
    const { pages, offsets, state } = this.#watch
    const words = new Int32Array(pages.buffer)
    return [0, 1].some((i) => (state[2]! & (1 << i)) !== 0 && Atomics.load(words, offsets[i]! >> 2) !== state[i])
  }
}

export class PortTable {
  readonly #ports = new Map<string, MemoryPort>()
  readonly #queue: EventQueue
  readonly #faults: Faults
  #next = 1

  constructor(queue: EventQueue, faults: Faults) {
    this.#queue = queue
    this.#faults = faults
  }

  listen(owner: Domid, peer: Domid): EventChannel {
    return this.#open(owner, peer)
  }

  bind(owner: Domid, peer: Domid, port: EvtchnPort): EventChannel {
    const remote = this.#ports.get(`${peer}:${port}`)
    if (remote === undefined || remote.allowed !== owner || remote.remote !== undefined) {
      throw new ConduitError('EVTCHN_INVALID', `port ${port} of domain ${peer} for domain ${owner}`, { domid: peer })
    }
    const local = this.#open(owner, peer)
    local.remote = remote
    remote.remote = local
    return local
  }

  /** Hold a port for an unmap notification; the result kicks it and lets go. @throws ConduitError EVTCHN_INVALID */
  retain(owner: Domid, port: EvtchnPort): () => void {
    const held = this.#ports.get(`${owner}:${port}`)
    if (held === undefined) throw new ConduitError('EVTCHN_INVALID', `port ${port} is not one of domain ${owner}`)
    held.retain()
    return () => {
      held.kickRemote()
      held.release()
    }
  }

  /** Close every port of a leaving domain. */
  releaseAll(owner: Domid): void {
    for (const port of this.#ports.values()) if (port.owner === owner) void port.close()
  }

  leftovers(): string[] {
    return [...this.#ports.values()].map(
      ({ owner, port, allowed }) => `domain ${owner} has port ${port} for ${allowed}`,
    )
  }

  #open(owner: Domid, allowed: Domid): MemoryPort {
    const port = evtchnPort(this.#next++)
    const key = `${owner}:${port}`
    const onClose = (): boolean => this.#ports.delete(key)
    const opened = new MemoryPort(owner, allowed, port, { queue: this.#queue, faults: this.#faults, onClose })
    this.#ports.set(key, opened)
    return opened
  }
}
