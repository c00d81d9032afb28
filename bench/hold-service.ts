// A service of one boot, for bench/hold.ts: launched by the first who asks, ready when its process says so.
import type { Instance, Service, ServiceState, Use } from '../src/jitsu/summon.js'

const NO_USE: Use = { moved: () => undefined, release: () => undefined }

export class BenchService implements Service {
  readonly name = 'bench'
  readonly dns: readonly string[] = []
  readonly addresses: readonly string[] = []
  readonly reply = 'ready'
  state: ServiceState = 'stopped'
  instance: Instance | undefined
  /** When the process said that it is ready, in ms since 1970 with fractions. */
  readyAtMs: number | undefined
  launch!: () => Promise<unknown>
  #boot: Promise<void> | undefined

  touch(): void {
    // It is never idle.
  }

  summon(): Promise<void> {
    this.state = this.state === 'stopped' ? 'starting' : this.state
    this.#boot ??= this.launch().then(() => {
      this.readyAtMs = performance.timeOrigin + performance.now()
      this.state = 'ready'
    })
    return this.#boot
  }

  use(): Use {
    return NO_USE
  }

  sawFirstByte(): void {
    // The client measures it.
  }
}
