// The ports of one environment, all on one descriptor of /dev/xen/evtchn. A port that fired stays masked until it is
// written back, so each is, after its handler has run: one that is forgotten is deaf for ever.
import { type Domid, type EvtchnPort, evtchnPort } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { type NativeFdWatcher, NativeWake, PollEvent, systemError } from '../../native.js'
import type { EventChannel } from '../substrate.js'
import type { Devices } from './devices.js'
import { XenEventPort } from './xen-event-port.js'

/** Ports taken in one read: the rest makes the descriptor readable again. */
const BATCH = 64
const WORD_BYTES = 4

export class EventTable {
  readonly #devices: Devices
  readonly #ports = new Map<number, XenEventPort>()
  readonly #fired = new Uint32Array(BATCH)
  readonly #firedBytes = new Uint8Array(this.#fired.buffer)
  #watcher: NativeFdWatcher | undefined
  /** The port on whose words the watcher spins. */
  #spinning: XenEventPort | undefined
  #holders = 0

  constructor(devices: Devices) {
    this.#devices = devices
  }

  /** @throws ConduitError EVTCHN_INVALID, GRANT_LIMIT, SUBSTRATE_UNAVAILABLE, SUBSTRATE_LOST, EMFILE */
  listen(peer: Domid): EventChannel {
    return this.#add((fd) => this.#devices.native.evtchnListen(fd, peer), peer, `listen for domain ${peer}`)
  }

  /** @throws ConduitError EVTCHN_INVALID, SUBSTRATE_UNAVAILABLE, SUBSTRATE_LOST, EMFILE */
  bind(peer: Domid, remotePort: EvtchnPort): EventChannel {
    const tried = `bind port ${remotePort} of domain ${peer}`
    return this.#add((fd) => this.#devices.native.evtchnBind(fd, peer, remotePort), peer, tried)
  }

  /**
   * The hypervisor knows none of the ports any more: their owners are told, and the next port begins anew. Returns whether the
   * kernel still counts some of them to the descriptor, which may then not be closed.
   */
  lose(): boolean {
    const lost = [...this.#ports.values()]
    // Order matters: forgotten first, since a port that the table knows is unbound when it closes (BUG_ON(irq < 0) in
    // evtchn_unbind_from_user(), linux, drivers/xen/evtchn.c), and its number may be another port's by then.
    this.#ports.clear()
    this.#spinning = undefined
    for (const port of lost) {
      this.#try(() => port.wake('lost'))
      void port.close()
    }
    this.close()
    return lost.length > 0
  }

  close(): void {
    for (const port of this.#ports.values()) void port.close()
    this.#watcher?.close()
    this.#watcher = undefined
  }

  /** For a port: kick its other end. */
  notify(port: EvtchnPort): void {
    this.#devices.native.evtchnNotify(this.#devices.fd('evtchn'), port)
  }

  /** For a port: whether anything here keeps the event loop alive. */
  hold(holders: 1 | -1): void {
    this.#holders += holders
    if (this.#holders === 1 && holders === 1) this.#watcher?.ref()
    if (this.#holders === 0) this.#watcher?.unref()
  }

  /** For a port that spins by itself, before it sleeps. */
  spin(port: XenEventPort, micros: number): boolean {
    return this.#aimAt(port) && this.#watcher!.spin(micros)
  }

  /** For a port that closes. */
  remove(port: XenEventPort): void {
    if (this.#ports.get(port.port) !== port) return
    this.#ports.delete(port.port)
    if (this.#spinning === port) this.#spinning = undefined
    try {
      this.#devices.native.evtchnUnbind(this.#devices.fd('evtchn'), port.port)
    } catch {
      // The devices were closed, and the port with them.
    }
  }

  #add(open: (fd: number) => number, peer: Domid, tried: string): EventChannel {
    const fd = this.#devices.fd('evtchn')
    let number: EvtchnPort
    try {
      number = evtchnPort(open(fd))
    } catch (cause) {
      throw portError(cause, tried, peer)
    }
    this.#watch(fd)
    const port = new XenEventPort(number, this)
    this.#ports.set(number, port)
    return port
  }

  #watch(fd: number): void {
    if (this.#watcher !== undefined) return
    this.#watcher = new this.#devices.native.FdWatcher(fd, false, (wake) => this.#onWake(wake))
    this.#watcher.start(PollEvent.READABLE)
    if (this.#holders > 0) this.#watcher.ref()
  }

  #onWake(wake: number): number {
    if (wake === NativeWake.EVENT) return this.#onReadable()
    return this.#spinning?.wake(wake === NativeWake.MOVED ? 'moved' : 'idle') ?? 0
  }

  #onReadable(): number {
    const count = this.#read()
    let micros = 0
    try {
      for (let i = 0; i < count; i++) {
        const wanted = this.#serve(this.#ports.get(this.#fired[i]!), count === 1)
        if (count === 1) micros = wanted
      }
    } finally {
      if (count > 0) this.#write(this.#firedBytes.subarray(0, count * WORD_BYTES))
    }
    return micros
  }

  #serve(port: XenEventPort | undefined, alone: boolean): number {
    return this.#try(() => {
      const micros = port?.fire() ?? 0
      // Spinning is for a port that has the loop to itself; another one arms and sleeps.
      if (micros === 0 || (alone && this.#aimAt(port!))) return micros
      return port!.wake('idle')
    })
  }

  /** An owner's mistake is the process's to hear of: the ports behind it get their turn first. */
  #try(handle: () => number): number {
    try {
      return handle()
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
      return 0
    }
  }

  #read(): number {
    try {
      const bytes = this.#devices.native.readBytes(this.#devices.fd('evtchn'), this.#firedBytes)
      return bytes < 0 ? 0 : bytes / WORD_BYTES
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EFBIG') throw error
      this.#onOverflow()
      return 0
    }
  }

  /** The queue of ports has overflowed, and nobody knows which were lost: all look, and all are unmasked. */
  #onOverflow(): void {
    this.#devices.native.evtchnReset(this.#devices.fd('evtchn'))
    const ports = Uint32Array.from(this.#ports.keys())
    for (const number of ports) this.#serve(this.#ports.get(number), false)
    for (let at = 0; at < ports.length; at += BATCH) this.#write(new Uint8Array(ports.slice(at, at + BATCH).buffer))
    // libuv takes the error condition of an overflow for the end of a descriptor, and stops polling it.
    this.#watcher?.start(PollEvent.READABLE)
  }

  #write(ports: Uint8Array): void {
    try {
      this.#devices.native.writeBytes(this.#devices.fd('evtchn'), ports)
    } catch {
      // A handler closed the environment.
    }
  }

  #aimAt(port: XenEventPort): boolean {
    if (port.watch === undefined || this.#watcher === undefined) return false
    if (this.#spinning === port) return true
    const { pages, offsets, state } = port.watch
    this.#watcher.spinOn(pages.native, offsets[0], offsets[1], state)
    this.#spinning = port
    return true
  }
}

function portError(cause: unknown, tried: string, peer: Domid): ConduitError {
  const { code: errno, syscall, message } = cause as NodeJS.ErrnoException
  if (errno === 'ENOSPC') {
    return new ConduitError('GRANT_LIMIT', `${tried}: no event channel is left`, {
      errno,
      syscall,
      domid: peer,
      hint: 'close some connections: a domain has 1,024 or 131,072 ports, less those of its own devices',
      cause,
    })
  }
  if (errno === 'EMFILE' || errno === 'ENFILE' || errno === 'ENOMEM') return systemError(cause, tried)
  return new ConduitError('EVTCHN_INVALID', `${tried}: ${message}`, {
    errno,
    syscall,
    domid: peer,
    hint: 'the peer has closed it, another one bound it first, or it is for another domain',
    cause,
  })
}
