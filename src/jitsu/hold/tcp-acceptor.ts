// Takes whoever connects to a TCP address, in the kernel's order. When this process may open no more descriptors they wait in
// the kernel's queue. Who they are is the taker's business.
import { readFileSync } from 'node:fs'
import { formatSocketAddress, type SocketAddress } from '../../../protocol/jitsud-hold-config.js'
import type { Clock, Timer } from '../../conduit/clock.js'
import { ConduitError } from '../../errors.js'
import { type NativeFdWatcher, native, PollEvent, systemError } from '../../native.js'

/** Connections that wait in the kernel: what Linux allows at most by default (net.core.somaxconn). */
const BACKLOG = 4096
/** Connections taken before other descriptors get their turn. */
const ACCEPTS_A_TURN = 64
/** How long it takes nobody in after it ran out of descriptors. */
const PAUSE_MS = 100
/**
 * Descriptors that are left for everything else: a process that is full of clients that wait could connect none of them to its
 * service. The kernel gives the lowest number that is free, so a high one says how many are left.
 */
const HEADROOM = 32

export interface TcpAcceptorOptions {
  readonly clock: Clock
  /** Owns the descriptor it is given. */
  take(fd: number): void
  /** Nobody could be taken, for the first time since somebody was. */
  onTrouble(error: ConduitError): void
}

export class TcpAcceptor {
  readonly address: SocketAddress
  readonly #listener: number
  readonly #watcher: NativeFdWatcher
  readonly #options: TcpAcceptorOptions
  readonly #highest = openFilesLimit() - HEADROOM
  #pause: Timer | undefined
  #inTrouble = false
  #closed = false

  /** @throws ConduitError EADDRINUSE, EACCES, EMFILE, EINVAL, SYSTEM */
  constructor(address: SocketAddress, options: TcpAcceptorOptions) {
    this.#options = options
    this.#listener = listenOn(address)
    this.address = { host: address.host, port: native().tcpLocalPort(this.#listener) }
    this.#watcher = new (native().FdWatcher)(this.#listener, false, () => {
      this.#accept()
      return 0
    })
    this.#watcher.ref()
    this.#watcher.start(PollEvent.READABLE)
  }

  /** Give the address up. Those in the kernel's queue are reset by it. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pause?.cancel()
    this.#watcher.close()
    native().closeFd(this.#listener)
  }

  #accept(): void {
    try {
      for (let taken = 0; taken < ACCEPTS_A_TURN && !this.#closed; taken++) {
        const fd = native().tcpAccept(this.#listener)
        if (fd < 0) return
        this.#options.take(fd)
        if (fd > this.#highest) throw Object.assign(new Error('few descriptors are left'), { code: 'EMFILE' })
        this.#inTrouble = false
      }
    } catch (cause) {
      if (!this.#inTrouble)
        this.#options.onTrouble(systemError(cause, `accept on ${formatSocketAddress(this.address)}`))
      this.#inTrouble = true
      this.#rest()
    }
  }

  #rest(): void {
    this.#watcher.start(0)
    this.#pause?.cancel()
    this.#pause = this.#options.clock.after(PAUSE_MS, () => {
      if (!this.#closed) this.#watcher.start(PollEvent.READABLE)
    })
  }
}

/** The soft limit of this process (proc(5), /proc/PID/limits). */
function openFilesLimit(): number {
  const line = /^Max open files +([0-9]+) /m.exec(readFileSync('/proc/self/limits', 'latin1'))
  return line === null ? Number.POSITIVE_INFINITY : Number(line[1])
}

const HINTS: Partial<Record<string, string>> = {
  EADDRINUSE: 'end what listens there (ss -ltnp), or hold another address',
  EACCES:
    'ports below 1024 need CAP_NET_BIND_SERVICE: AmbientCapabilities= of the unit, or a lower net.ipv4.ip_unprivileged_port_start',
  EADDRNOTAVAIL: 'this machine has no such address (ip address)',
}

function listenOn({ host, port }: SocketAddress): number {
  try {
    return native().tcpListen(host, port, BACKLOG)
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    const tried = `hold ${formatSocketAddress({ host, port })}`
    const hint = HINTS[code ?? '']
    if (hint === undefined) throw systemError(cause, tried)
    const known = code === 'EADDRINUSE' || code === 'EACCES' ? code : 'SYSTEM'
    throw new ConduitError(known, `${tried}: ${(cause as Error).message}`, { errno: code, syscall, hint, cause })
  }
}
