// A machine without Xen, as far as a xenstore daemon looks (plain_machine.h): domains that are born and die, the pages of
// their rings, and the events between them and the daemon.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Domid } from '../../protocol/xen.js'
import { native } from '../../src/native.js'
import { StoreRing } from './store-ring.js'

const PAGE_BYTES = 4096
/** plain_machine.h */
const PORT_LISTENING = 0
const PORT_DOM_EXC = 1
/** In /proc/xen/xsd_port. Nobody is at dom0's ring: its programs use the socket. */
const PORT_DOM0 = 2
const PORT_FIRST_GUEST = 16
/** What the daemons take for granted (redirect_paths.c). */
const FOLDERS = ['var/run/xenstored', 'var/run/xen', 'var/lib/xen', 'var/lib/xenstored', 'var/log/xen', 'proc/xen']

interface Domain {
  readonly ring: StoreRing
  readonly port: number
  readonly fd: number
}

export class PlainMachine {
  /** Everything of it: the daemon's CONDUIT_MACHINE. */
  readonly directory = mkdtempSync(join(tmpdir(), 'machine-'))
  /** Where the daemon listens. */
  readonly storeSocket = join(this.directory, 'var/run/xenstored/socket')
  /** Resolves when the daemon takes connections. */
  readonly listening: Promise<void>
  readonly #events: Server
  readonly #domains = new Map<Domid, Domain>()
  #daemon: Socket | undefined
  #nextPort = PORT_FIRST_GUEST
  #onListening = (): void => {}

  private constructor() {
    this.listening = new Promise((resolve) => {
      this.#onListening = resolve
    })
    this.#events = createServer((daemon) => this.#plugIn(daemon))
  }

  static async start(): Promise<PlainMachine> {
    const machine = new PlainMachine()
    const { directory } = machine
    for (const folder of ['domain', ...FOLDERS]) mkdirSync(join(directory, folder), { recursive: true })
    writeFileSync(join(directory, 'proc/xen/xsd_kva'), Buffer.alloc(PAGE_BYTES))
    writeFileSync(join(directory, 'proc/xen/xsd_port'), String(PORT_DOM0))
    machine.#events.listen(join(directory, 'evtchn'))
    await once(machine.#events, 'listening')
    return machine
  }

  /** What a toolstack has in its hands of a domain that it has just built, for INTRODUCE. */
  createDomain(domid: Domid): { readonly gfn: number; readonly port: number } {
    const port = this.#nextPort++
    const fd = native().memfdCreate(`xenstore-ring-${domid}`, PAGE_BYTES)
    symlinkSync(`/proc/${process.pid}/fd/${fd}`, this.#pagePath(domid))
    this.#domains.set(domid, { fd, port, ring: new StoreRing(fd, () => this.#raise(port)) })
    return { gfn: port, port }
  }

  /** A living domain's end of its ring. */
  ring(domid: Domid): StoreRing {
    const domain = this.#domains.get(domid)
    if (domain === undefined) throw new Error(`no domain ${domid}`)
    return domain.ring
  }

  /** The domain is no more, and the daemon is told that some domain is. */
  destroyDomain(domid: Domid): void {
    const domain = this.#domains.get(domid)
    if (domain === undefined) return
    this.#domains.delete(domid)
    rmSync(this.#pagePath(domid))
    domain.ring.close()
    native().closeFd(domain.fd)
    this.#raise(PORT_DOM_EXC)
  }

  /** Switch it off; a daemon that still runs on it ends. */
  close(): void {
    for (const domid of [...this.#domains.keys()]) this.destroyDomain(domid)
    this.#daemon?.destroy()
    this.#events.close()
    rmSync(this.directory, { recursive: true })
  }

  #pagePath(domid: Domid): string {
    return join(this.directory, 'domain', String(domid))
  }

  #plugIn(daemon: Socket): void {
    this.#daemon = daemon
    let rest = Buffer.alloc(0)
    // It was killed with events on their way.
    daemon.on('error', () => daemon.destroy())
    daemon.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes])
      const whole = rest.length - (rest.length % 4)
      for (let at = 0; at < whole; at += 4) this.#onEvent(rest.readUInt32LE(at))
      rest = rest.subarray(whole)
    })
  }

  #onEvent(port: number): void {
    if (port === PORT_LISTENING) this.#onListening()
    for (const domain of this.#domains.values()) if (domain.port === port) domain.ring.onEvent()
  }

  #raise(port: number): void {
    const event = Buffer.alloc(4)
    event.writeUInt32LE(port)
    if (this.#daemon?.writable) this.#daemon.write(event)
  }
}
