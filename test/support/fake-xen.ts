// The kernel's side of Xen's devices for tests without Xen: what gntalloc, gntdev, evtchn and xenbus answer, what they keep,
// and calls that fail when the test says so. Enforces what the drivers enforce; carries no data between domains.
import { PAGE_BYTES } from '../../protocol/xen.js'
import { type Native, type NativeFdWatcher, type NativeMapping, NativeWake, PollEvent } from '../../src/native.js'

interface Grants {
  readonly kind: 'gntalloc' | 'gntdev'
  readonly fd: number
  readonly index: number
  readonly pages: number
  /** The descriptor's list, and each mapping. */
  users: number
}

/** A port with what the driver knows of it. */
export interface FakePort {
  readonly peer: number
  masked: boolean
  /** The descriptor that it is counted to. */
  readonly fd: number
}

const errno = (code: string, syscall: string): Error =>
  Object.assign(new Error(`${syscall}: ${code}`), { code, syscall })

export class FakeXen {
  /** gntalloc's parameter. */
  limit = 1024
  /** Calls in their order, without those of the data path. */
  readonly calls: string[] = []
  readonly ports = new Map<number, FakePort>()
  /** What was asked of setUnmapNotify: record, byte and port. */
  readonly notifications: { readonly index: number; readonly port: number }[] = []
  readonly kicked: number[] = []
  /** Bytes that readBytes() of xenbus gives, and what was written there. */
  readonly arriving: Uint8Array[] = []
  readonly written: Buffer[] = []
  onWritten: () => void = () => undefined
  overflowed = false
  /** What would have been an oops in the kernel. */
  readonly oopses: string[] = []
  /** Descriptors that are kept open and are nobody's. */
  readonly abandoned: string[] = []
  /** Ports from before a restore, by their descriptor. */
  readonly #stale = new Map<number, Set<number>>()
  #faults: { readonly call: string; readonly code: string; nth: number }[] = []
  readonly #fds = new Map<number, string>()
  readonly #records = new Set<Grants>()
  readonly #watchers = new Map<number, FakeWatcher>()
  readonly #fired: number[] = []
  #next = 100
  /** Reads of a descriptor that is closed, and may be somebody else's by now. */
  #strays = 0

  /** Make the nth next call of this name fail with an errno. */
  fail(call: string, code: string, nth = 1): void {
    this.#faults.push({ call, code, nth })
  }

  /** Everything that is open, allocated, mapped or bound. */
  leftovers(): string[] {
    const records = [...this.#records].map(({ kind, pages, users }) => `${kind}: ${pages} pages, ${users} users`)
    const strays = this.#strays > 0 ? [`${this.#strays} stray reads`] : []
    return [...strays, ...this.#fds.values(), ...records, ...[...this.ports.keys()].map((port) => `port ${port}`)]
  }

  /** Pages that count against gntalloc's limit. */
  get granted(): number {
    return [...this.#records].reduce((sum, { kind, pages }) => sum + (kind === 'gntalloc' ? pages : 0), 0)
  }

  /** The hypervisor raises these ports; the masked ones stay silent. */
  raise(...ports: number[]): void {
    for (const port of ports) {
      const known = this.ports.get(port)
      if (known?.masked === true) continue
      if (known !== undefined) known.masked = true
      this.#fired.push(port)
    }
    if (this.#fired.length > 0) this.watcher('/dev/xen/evtchn').wake(NativeWake.EVENT, PollEvent.READABLE)
  }

  /** More ports fired than the driver could note down. */
  overflow(): void {
    for (const port of this.ports.values()) port.masked = true
    this.overflowed = true
    const watcher = this.watcher('/dev/xen/evtchn')
    // As libuv at POLLERR: polling stops, and the callback hears of a bad descriptor.
    watcher.started = false
    watcher.wake(NativeWake.EVENT, PollEvent.DISCONNECT)
  }

  /** The domain was saved and restored: the kernel has lost its ports, and its descriptors have not. */
  restore(): void {
    for (const [port, { fd }] of this.ports) this.#stale.set(fd, (this.#stale.get(fd) ?? new Set()).add(port))
    this.ports.clear()
  }

  watcher(path: string): FakeWatcher {
    const [fd] = [...this.#fds].find(([, open]) => open === path) ?? []
    return this.#watchers.get(fd!)!
  }

  /** What the substrate takes for the addon. */
  readonly addon = this.#makeAddon()

  #call(name: string): void {
    this.calls.push(name)
    const due = this.#faults.filter((fault) => fault.call === name && --fault.nth === 0)
    this.#faults = this.#faults.filter(({ nth }) => nth > 0)
    if (due[0] !== undefined) throw errno(due[0].code, name === 'Mapping' ? 'mmap' : name)
  }

  #record(kind: Grants['kind'], fd: number, pages: number): Grants {
    const record = { kind, fd, index: this.#next++ * PAGE_BYTES * 16, pages, users: 1 }
    this.#records.add(record)
    return record
  }

  #find(fd: number, index: number): Grants {
    for (const record of this.#records) {
      if (record.fd === fd && index >= record.index && index < record.index + record.pages * PAGE_BYTES) return record
    }
    throw errno('ENOENT', 'no such record')
  }

  #release(record: Grants): void {
    if (--record.users === 0) this.#records.delete(record)
  }

  #map(segments: Float64Array): NativeMapping {
    this.#call('Mapping')
    const [fd = -1, index = -1, bytes = 0] = segments
    const record = this.#find(fd, index)
    record.users++
    let buffer = new ArrayBuffer(bytes)
    return {
      get buffer() {
        return buffer
      },
      renew: () => undefined,
      close: () => {
        if (buffer.byteLength === 0) return
        buffer = new ArrayBuffer(0)
        this.calls.push('unmap')
        this.#release(record)
      },
    }
  }

  #bind(fd: number, peer: number): number {
    const port = this.#next++
    this.ports.set(port, { peer, masked: false, fd })
    return port
  }

  #read(fd: number, target: Uint8Array): number {
    if (!this.#fds.has(fd)) this.#strays++
    if (this.#fds.get(fd) === '/dev/xen/xenbus') {
      this.#call('readXenbus')
      const bytes = this.arriving.shift()
      if (bytes === undefined) return -1
      target.set(bytes)
      return bytes.length
    }
    if (this.overflowed) throw errno('EFBIG', 'read')
    if (this.#fired.length === 0) return -1
    const ports = Uint32Array.from(this.#fired.splice(0, target.length / 4))
    target.set(new Uint8Array(ports.buffer))
    return ports.byteLength
  }

  #write(fd: number, bytes: Uint8Array): number {
    if (this.#fds.get(fd) === '/dev/xen/xenbus') return this.#writeXenbus(bytes)
    for (const port of new Uint32Array(bytes.slice().buffer)) {
      const known = this.ports.get(port)
      if (known !== undefined) known.masked = false
    }
    return bytes.length
  }

  /** Some bytes, or none: what a device may do that is in the middle of something. */
  takes: number | undefined
  #writeXenbus(bytes: Uint8Array): number {
    this.#call('writeXenbus')
    const count = Math.min(this.takes ?? bytes.length, bytes.length)
    this.takes = undefined
    if (count === 0) return -1
    this.written.push(Buffer.from(bytes.subarray(0, count)))
    this.onWritten()
    return count
  }

  #makeAddon(): Native {
    const xen = this
    const addon: Partial<Native> = {
      Mapping: class {
        constructor(segments: Float64Array) {
          // biome-ignore lint/correctness/noConstructorReturn: the fake's mapping is a plain object
          return xen.#map(segments)
        }
      } as unknown as Native['Mapping'],
      FdWatcher: class extends FakeWatcher {
        constructor(fd: number, _drains: boolean, callback: (wake: number, events: number) => number) {
          super(callback, () => xen.#watchers.delete(fd))
          xen.#watchers.set(fd, this)
        }
      },
      deviceOpen: (path) => {
        this.#call('deviceOpen')
        const fd = this.#next++
        this.#fds.set(fd, path)
        return fd
      },
      releaseFd: (fd) => {
        this.abandoned.push(this.#fds.get(fd)!)
        this.#fds.delete(fd)
      },
      closeFd: (fd) => {
        if (this.#stale.has(fd)) this.oopses.push('close')
        this.#fds.delete(fd)
        for (const record of this.#records) if (record.fd === fd) this.#release(record)
        if (!this.#fds.has(fd) && ![...this.#fds.values()].includes('/dev/xen/evtchn')) this.ports.clear()
      },
      readBytes: (fd, target) => this.#read(fd, target),
      writeBytes: (fd, bytes) => this.#write(fd, bytes),
      gntdevMap: (fd, _domid, grefs) => {
        this.#call('gntdevMap')
        return this.#record('gntdev', fd, grefs.length).index
      },
      gntdevUnmap: (fd, index) => {
        this.#call('gntdevUnmap')
        this.#release(this.#find(fd, index))
      },
      gntallocAllocate: (fd, _domid, pages) => {
        this.#call('gntallocAllocate')
        if (this.granted + pages > this.limit) throw errno('ENOSPC', 'ioctl(GNTALLOC_ALLOC_GREF)')
        const grefs = Array.from({ length: pages }, () => this.#next++)
        return [this.#record('gntalloc', fd, pages).index, ...grefs]
      },
      gntallocRelease: (fd, index) => {
        this.#call('gntallocRelease')
        this.#release(this.#find(fd, index))
      },
      setUnmapNotify: (fd, index, port) => {
        this.#call('setUnmapNotify')
        this.notifications.push({ index: index - this.#find(fd, index).index, port })
      },
      evtchnListen: (fd, peer) => {
        this.#call('evtchnListen')
        return this.#bind(fd, peer)
      },
      evtchnBind: (fd, peer) => {
        this.#call('evtchnBind')
        return this.#bind(fd, peer)
      },
      evtchnUnbind: (fd, port) => {
        this.#call('evtchnUnbind')
        if (this.#stale.get(fd)?.has(port)) this.oopses.push('unbind')
        if (!this.ports.delete(port)) throw errno('ENOTCONN', 'ioctl(EVTCHN_UNBIND)')
      },
      evtchnNotify: (_fd, port) => void this.kicked.push(port),
      evtchnReset: () => {
        this.#call('evtchnReset')
        this.overflowed = false
      },
    }
    return addon as Native
  }
}

class FakeWatcher implements NativeFdWatcher {
  started = false
  held = false
  readonly #callback: (wake: number, events: number) => number
  readonly #onClose: () => void

  constructor(callback: (wake: number, events: number) => number, onClose: () => void) {
    this.#callback = callback
    this.#onClose = onClose
  }

  /** As the addon: an answer of so many microseconds is a spin, which brings nothing here. */
  wake(wake: number, events: number): void {
    if (this.#callback(wake, events) > 0) this.#callback(NativeWake.IDLE, 0)
  }

  start(): void {
    this.started = true
  }

  spinOn(): void {}

  spin(): boolean {
    return false
  }

  ref(): void {
    this.held = true
  }

  unref(): void {
    this.held = false
  }

  close(): void {
    this.#onClose()
  }
}
