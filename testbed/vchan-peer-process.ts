// testbed/peers' program, or one that speaks as it does, as a child process: its lines as events, its end as a promise.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'

export interface PeerExit {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

/** A line such as `done job=send bytes=5`. */
export type PeerLine = Readonly<Record<string, string>>

export class VchanPeerProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly exit: Promise<PeerExit>
  readonly #lines = new Map<string, PeerLine>()
  readonly #waiting = new Map<string, (line: PeerLine) => void>()

  /** @param args the program's arguments; `-` as its peer until {@link meet} names it */
  constructor(path: string, args: readonly string[], environment: NodeJS.ProcessEnv) {
    this.child = spawn(path, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] })
    // A peer that ends before it was told whom to meet: its exit says so.
    this.child.stdin.on('error', () => undefined)
    createInterface(this.child.stdout).on('line', (line) => this.#onLine(line))
    const ended = Promise.all([once(this.child, 'close'), text(this.child.stderr)])
    this.exit = ended.then(([[status, signal], stderr]) => ({ status, signal, stderr }))
  }

  /** Its domid, once it has one. */
  async domid(): Promise<number> {
    return Number((await this.line('ready')).domid)
  }

  /** Whom to serve or to connect to. */
  meet(domid: number): void {
    this.child.stdin.write(`${domid}\n`)
  }

  /** The line of that event, once it is there. Rejects when the program ends without it. */
  line(event: string): Promise<PeerLine> {
    const there = this.#lines.get(event)
    if (there !== undefined) return Promise.resolve(there)
    return new Promise((resolve, reject) => {
      this.#waiting.set(event, resolve)
      void this.exit.then(({ status, signal, stderr }) =>
        reject(new Error(`vchan-peer ended with ${status ?? signal} before it said ${event}: ${stderr}`)),
      )
    })
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exit
  }

  #onLine(line: string): void {
    const [event, ...pairs] = line.split(' ')
    const values = Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string]))
    this.#lines.set(event!, values)
    this.#waiting.get(event!)?.(values)
  }
}
