// The instances of one service that are built and wait, paused. A summon takes the oldest; one that dies here is missed, one that
// is not wanted any more is taken away. When the next one is built is warm-pools.ts.

import type { ServiceConfig } from '../../../protocol/jitsud-service-config.js'
import type { PreparedRecord } from '../../../protocol/jitsud-state.js'
import { BootPause, LONGEST_PAUSE_MS } from '../boot-pause.js'
import type { LaunchContext, Launched, Launcher } from '../launcher.js'
import { errorFields } from '../logger.js'
import type { PoolState } from '../summon.js'
import { Build } from './build.js'
import { clearLeftover } from './clear-leftover.js'
import { Departures } from './departures.js'
import { bytesOf, type Kept, type PoolSurroundings } from './kept.js'

export class WarmPool {
  readonly name: string
  readonly #around: PoolSurroundings
  readonly #pause = new BootPause()
  readonly #counters = { prepared: 0, taken: 0, empty: 0, failed: 0, died: 0 }
  /** Oldest first. */
  #ready: Kept[] = []
  /** By a summon, and not yet its instance. */
  readonly #taken = new Set<Kept>()
  readonly #departures: Departures
  readonly #builds = new Set<Build>()
  /** Prepared by an earlier process. */
  readonly #leftovers: Set<PreparedRecord>
  #config: ServiceConfig
  #launcher: Launcher
  #wanted = 0
  #bytesOfNext: number
  #short: string | undefined
  #told: string | undefined

  /** Keeps none before {@link configure}. */
  constructor(
    around: PoolSurroundings,
    config: ServiceConfig,
    launcher: Launcher,
    leftovers: readonly PreparedRecord[],
  ) {
    this.name = config.name
    this.#around = around
    this.#departures = new Departures(config.name, around)
    this.#config = config
    this.#launcher = launcher
    this.#bytesOfNext = launcher.preparedBytes ?? 0
    this.#leftovers = new Set(leftovers)
    for (const leftover of leftovers) void this.#clear(leftover)
  }

  /** How many, and of what, from now on. Those of another launcher go. */
  configure(config: ServiceConfig, launcher: Launcher): void {
    if (launcher !== this.#launcher) {
      this.#pause.succeeded()
      this.#bytesOfNext = launcher.preparedBytes ?? 0
    }
    this.#config = config
    this.#launcher = launcher
    this.#want(config.keepWarm)
  }

  /** Keep none, until it is configured again. */
  rest(): void {
    this.#want(0)
  }

  /** Resolves when nothing that `launcher` prepares, or any, is here any more, or can be got rid of. */
  async emptied(launcher?: Launcher): Promise<void> {
    const of = (one: { readonly launcher: Launcher }): boolean => launcher === undefined || one.launcher === launcher
    for (;;) {
      const builds = [...this.#builds].filter(of).map(({ over }) => over)
      const passing = [...builds, ...this.#departures.under(of)]
      if (passing.length === 0) return
      await Promise.all(passing)
    }
  }

  /**
   * One that is ready, else as the launcher launches.
   * @throws ConduitError LAUNCHER; the signal's reason
   */
  async launch(launcher: Launcher, context: LaunchContext): Promise<Launched> {
    if (this.#wanted === 0) return launcher.launch(context)
    for (let kept = this.#take(launcher); kept !== undefined; kept = this.#take(launcher)) {
      try {
        context.step('taken')
        const launched = await kept.prepared.launch(context)
        this.#pause.succeeded()
        return launched
      } catch (error) {
        context.signal.throwIfAborted()
        this.#counters.failed++
        this.#pauseAfter('cannot be launched', error)
        this.#around.onRecord()
      } finally {
        this.#taken.delete(kept)
      }
    }
    this.#counters.empty++
    return launcher.launch(context)
  }

  /** Instances that are ready. */
  get size(): number {
    return this.#ready.length
  }

  /** Whether another one is wanted, memory and pauses aside. */
  get lacks(): boolean {
    const building = [...this.#builds].some(({ givenUp }) => !givenUp)
    return this.size < this.#wanted && !building && this.#leftovers.size === 0
  }

  /** Until another one may be tried. */
  get pauseMs(): number {
    return this.#pause.at(this.#around.clock.nowMs())?.remainingMs ?? 0
  }

  /** As the last one took, or the launcher says; 0 where nobody knows before the first. */
  get bytesOfNext(): number {
    return this.#bytesOfNext
  }

  /** Of the machine, with what is on its way out. */
  get memoryBytes(): number {
    return this.readyBytes + this.#departures.memoryBytes
  }

  /** Of the machine, with what is on its way out left out. */
  get readyBytes(): number {
    return bytesOf(this.#ready)
  }

  /** Whether some of its memory comes back by itself. */
  get shrinking(): boolean {
    return this.#departures.any
  }

  /** For the state file. */
  get records(): PreparedRecord[] {
    const kept = [...this.#ready, ...this.#taken, ...this.#departures.all]
    return [
      ...this.#leftovers,
      ...kept.map(({ prepared, launcher }) => ({ kind: launcher.kind, token: prepared.token })),
    ]
  }

  /** Undefined where none is to be kept. */
  get state(): PoolState | undefined {
    if (this.#wanted === 0) return undefined
    const pause = this.#pause.at(this.#around.clock.nowMs())
    const { size, memoryBytes } = this
    const problem = pause?.why ?? this.#short
    return { wanted: this.#wanted, ready: size, memoryBytes, problem, counters: { ...this.#counters } }
  }

  /** Why there is no room for more, told once for each configuration; undefined when there is. */
  short(why: string | undefined): void {
    this.#short = why
    if (why === undefined || why === this.#told) return
    this.#told = why
    const { log } = this.#around
    log.warn(`${this.name}: ${this.size} of ${this.#wanted} instances are kept warm: ${why}`, { service: this.name })
  }

  /** There is less room than there was: the newest goes. @returns its bytes */
  shrink(): number {
    const kept = this.#ready.pop()
    if (kept === undefined) return 0
    this.#drop(kept)
    return kept.prepared.memoryBytes
  }

  /** Build one. Never rejects, and takes no longer than a boot of the service may. */
  async refill(): Promise<void> {
    const launcher = this.#launcher
    const { clock, log } = this.#around
    const build = new Build({
      service: this.name,
      launcher,
      clock,
      limitMs: this.#config.ready.timeoutSeconds * 1000,
      log: (line) => log.debug(line, { service: this.name }),
      onLate: (prepared) => this.#drop({ prepared, launcher, sinceMs: clock.nowMs() }),
    })
    this.#builds.add(build)
    void build.over.then(() => {
      this.#builds.delete(build)
      this.#around.onChange()
    })
    try {
      this.#keep({ prepared: await build.built, launcher, sinceMs: clock.nowMs() })
    } catch (error) {
      if (build.givenUp) return
      this.#counters.failed++
      this.#pauseAfter('cannot be built', error)
    }
  }

  #want(wanted: number): void {
    this.#wanted = wanted
    this.#short = undefined
    this.#told = undefined
    for (const build of this.#builds) if (wanted === 0 || build.launcher !== this.#launcher) build.giveUp()
    const old = this.#ready.filter(({ launcher }) => launcher !== this.#launcher)
    this.#ready = this.#ready.filter(({ launcher }) => launcher === this.#launcher)
    for (const kept of [...old, ...this.#ready.splice(wanted)]) this.#drop(kept)
    this.#around.onChange()
  }

  #take(launcher: Launcher): Kept | undefined {
    const kept = launcher === this.#launcher ? this.#ready.shift() : undefined
    if (kept === undefined) return undefined
    this.#counters.taken++
    // Order matters: it is in the state file until the service itself is there with it.
    this.#taken.add(kept)
    this.#around.onChange()
    return kept
  }

  #keep(kept: Kept): void {
    const { memoryBytes, ended } = kept.prepared
    const current = kept.launcher === this.#launcher
    if (current) this.#bytesOfNext = memoryBytes
    if (!current || this.size >= this.#wanted || !this.#around.fits(memoryBytes)) {
      this.#drop(kept)
      return
    }
    this.#ready.push(kept)
    this.#counters.prepared++
    this.#around.onRecord()
    void ended.then((how) => this.#onEnded(kept, how))
  }

  #onEnded(kept: Kept, how: string): void {
    const at = this.#ready.indexOf(kept)
    if (at < 0) return
    this.#ready.splice(at, 1)
    this.#counters.died++
    // That of one which lived for long says nothing of the next.
    if (this.#around.clock.nowMs() - kept.sinceMs >= LONGEST_PAUSE_MS) this.#pause.succeeded()
    this.#pauseAfter('has ended', new Error(how))
    // It may have left something all the same.
    kept.prepared.discard().catch(() => undefined)
    this.#around.onRecord()
    this.#around.onChange()
  }

  #pauseAfter(what: string, error: unknown): void {
    const { clock, log } = this.#around
    const why = error instanceof Error ? error.message : String(error)
    const pauseMs = this.#pause.failed(clock.nowMs(), why)
    log.warn(`${this.name}: an instance that is kept warm ${what}: ${why}`, {
      ...errorFields(error),
      service: this.name,
      pauseMs,
    })
  }

  #drop(kept: Kept): void {
    this.#departures.add(kept, this.#config.stopSeconds * 1000)
  }

  async #clear(leftover: PreparedRecord): Promise<void> {
    const { clock, log, lastChance, onRecord, onChange } = this.#around
    const options = { service: this.name, launcher: this.#launcher, clock, log, lastChance }
    if (!(await clearLeftover(leftover, options))) return
    this.#leftovers.delete(leftover)
    onRecord()
    onChange()
  }
}
