// A service of jitsud's directory whose boot a test plays by hand.
import { untilAborted } from '../../src/conduit/deadline.js'
import type { Instance, Service, ServiceState, SummonedBy, SummonOptions, Use } from '../../src/jitsu/summon.js'

export class FakeService implements Service {
  readonly name: string
  readonly dns: readonly string[] = []
  readonly addresses: readonly string[] = []
  readonly reply = 'ready'
  state: ServiceState = 'stopped'
  instance: Instance | undefined
  /** Calls of summon(). */
  summons = 0
  /** Boots that were begun. */
  boots = 0
  /** Uses that were not released. */
  uses = 0
  bytes = 0
  firstBytes = 0
  #boot = deferred()
  #channel: string | undefined
  readonly #onStarted: (() => void)[] = []

  constructor(name = 'www') {
    this.name = name
  }

  touch(): void {
    // Nobody here counts it.
  }

  async summon(_by: SummonedBy, options: SummonOptions = {}): Promise<void> {
    this.summons++
    if (this.state === 'ready') return
    if (this.state === 'stopped') this.boots++
    this.state = 'starting'
    const { signal, onStarted } = options
    if (onStarted !== undefined) this.#onStarted.push(onStarted)
    await (signal === undefined ? this.#boot.promise : untilAborted(this.#boot.promise, signal))
  }

  use(): Use {
    this.uses++
    let released = false
    return {
      moved: (bytes) => {
        this.bytes += bytes
      },
      release: () => {
        if (!released) this.uses--
        released = true
      },
    }
  }

  sawFirstByte(): void {
    this.firstBytes++
  }

  /** What the launcher started. */
  runs(pid: number | undefined): void {
    this.instance = pid === undefined ? undefined : { pid, domid: undefined }
  }

  /** It was launched, and offers its first client a channel. */
  offers(channel: string): void {
    this.#channel = channel
    for (const tell of this.#onStarted.splice(0)) tell()
  }

  takeChannel(): string | undefined {
    const channel = this.#channel
    this.#channel = undefined
    return channel
  }

  becomesReady(): void {
    this.state = 'ready'
    this.#boot.resolve()
  }

  fails(error: Error): void {
    this.state = 'stopped'
    this.#boot.reject(error)
    this.#boot = deferred()
  }
}

function deferred() {
  let settle!: { resolve(): void; reject(error: Error): void }
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  promise.catch(() => undefined)
  return { promise, ...settle }
}
