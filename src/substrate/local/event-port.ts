// A port: two eventfds, one read here and one read by the other end. Kicks coalesce, and a kick to a process
// that has gone is dropped by the kernel.
import { availableParallelism } from 'node:os'
import type { EvtchnPort } from '../../../protocol/xen.js'
import { type NativeFdWatcher, native, PollEvent } from '../../native.js'
import type { EventChannel, EventHandler, SpinWatch, Wake } from '../substrate.js'
import { LocalPages } from './local-pages.js'

/** Waking a process that sleeps in epoll costs 50 to 100 µs. */
const WAKE_MICROS = 50
const WAKES: readonly Wake[] = ['event', 'moved', 'idle']

export interface EventPortOptions {
  readonly port: EvtchnPort
  /** Descriptors it takes over: the one to read, the one to write. */
  readonly readFd: number
  readonly writeFd: number
  /** Both ends in one event loop: while one spins the other cannot run. */
  readonly loopback: boolean
  readonly onClose: () => void
}

export class EventPort implements EventChannel {
  readonly port: EvtchnPort
  readonly wakeMicros = WAKE_MICROS
  readonly readFd: number
  readonly writeFd: number
  readonly #watcher: NativeFdWatcher
  readonly #canSpin: boolean
  readonly #onClose: () => void
  #handler: EventHandler | undefined
  #spinning = false
  #closed = false
  #holders = 1

  constructor(options: EventPortOptions) {
    this.port = options.port
    this.readFd = options.readFd
    this.writeFd = options.writeFd
    this.#onClose = options.onClose
    this.#canSpin = !options.loopback && availableParallelism() > 1
    this.#watcher = new (native().FdWatcher)(this.readFd, true, (wake) => this.#handler!(WAKES[wake]!))
  }

  notify(): void {
    if (this.#holders > 0) native().eventfdNotify(this.writeFd)
  }

  onEvent(handler: EventHandler): void {
    if (this.#closed) return
    const first = this.#handler === undefined
    this.#handler = handler
    if (first) this.#watcher.start(PollEvent.READABLE)
  }

  spinOn(watch: SpinWatch): void {
    if (this.#closed || !this.#canSpin || !(watch.pages instanceof LocalPages)) return
    this.#watcher.spinOn(watch.pages.native, watch.offsets[0], watch.offsets[1], watch.state)
    this.#spinning = true
  }

  spin(micros: number): boolean {
    return this.#spinning && !this.#closed && this.#watcher.spin(micros)
  }

  ref(): void {
    if (!this.#closed) this.#watcher.ref()
  }

  unref(): void {
    if (!this.#closed) this.#watcher.unref()
  }

  /** Run the handler here, as when the other end kicked: for the death of a peer. */
  raise(): void {
    if (!this.#closed) native().eventfdNotify(this.readFd)
  }

  /** Keep the other end reachable for an unmap notification that may come after close(), as the kernel's does. */
  retain(): () => void {
    this.#holders++
    return () => this.#release()
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#watcher.close()
      native().closeFd(this.readFd)
      this.#release()
      this.#onClose()
    }
    return Promise.resolve()
  }

  #release(): void {
    if (--this.#holders === 0) native().closeFd(this.writeFd)
  }
}
