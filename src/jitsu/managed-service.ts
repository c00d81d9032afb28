// The state machine of one service: stopped → starting → ready → stopping. One boot for all who ask meanwhile; nobody's leaving
// ends it. How it boots is boot-attempt.ts, how it is stopped stop-instance.ts, when it is idle idleness.ts.
import type { Reservation } from '../../protocol/conduit.js'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import type { ServiceRecord } from '../../protocol/jitsud-state.js'
import { reserveName } from '../conduit/reservations.js'
import { ConduitError } from '../errors.js'
import { Boot } from './boot.js'
import { BootAttempt } from './boot-attempt.js'
import { BootPause } from './boot-pause.js'
import type { DirectoryContext } from './directory-context.js'
import { Idleness } from './idleness.js'
import type { LaunchContext, Launched, Launcher, StopMode } from './launcher.js'
import { errorFields } from './logger.js'
import type { WarmPool } from './pool/warm-pool.js'
import type { RunningInstance } from './running-instance.js'
import { stopInstance } from './stop-instance.js'
import type { Instance, PoolState, ReplyWhen, Service, ServiceState, SummonedBy, SummonOptions, Use } from './summon.js'
import type { Timeline } from './timeline.js'
import { TimelineRecorder } from './timeline-recorder.js'

const NOBODY: Reservation = { kind: 'nobody' }

export class ManagedService implements Service {
  readonly name: string
  readonly #context: DirectoryContext
  readonly #timelines: TimelineRecorder
  readonly #idleness: Idleness
  readonly #pause = new BootPause()
  readonly #lastChance = new AbortController()
  readonly #pool: WarmPool
  #config: ServiceConfig
  #launcher: Launcher
  #state: ServiceState = 'stopped'
  /** What is asked for: under way, or to come when the last instance is stopped. */
  #boot: Boot | undefined
  #attempt: BootAttempt | undefined
  #booting: Promise<void> | undefined
  #instance: RunningInstance | undefined
  /** Of the instance, until somebody takes it. */
  #channel: string | undefined
  /** The launcher of what is under way or runs. */
  #used: Launcher | undefined
  #stopping: Promise<void> | undefined
  /** The launcher has it suspended: that is resumed, and nothing else launched. */
  #suspended: boolean
  /** Of {@link WarmPools.summoning}, while it starts. */
  #summoned: (() => void) | undefined
  /** Why the instance does not end. */
  #stuck: string | undefined
  #reservation: Reservation = NOBODY
  /** Why nothing is started any more. */
  #closed: ConduitError | undefined

  /** @param record of an earlier process */
  constructor(context: DirectoryContext, config: ServiceConfig, launcher: Launcher, record?: ServiceRecord) {
    this.name = config.name
    this.#context = context
    this.#config = config
    this.#launcher = launcher
    const { clock, wallClock, onTimeline } = context
    this.#timelines = new TimelineRecorder({ service: config.name, clock, wallClock, onTimeline }, record?.number ?? 0)
    this.#suspended = record?.suspended === true
    this.#idleness = new Idleness(clock, config.idleSeconds * 1000, () => void this.#onIdle())
    this.#pool = context.pools.open(config, launcher, record?.prepared ?? [])
    this.#pool.configure(config, launcher)
  }

  get dns(): readonly string[] {
    return this.#config.dns
  }

  get addresses(): readonly string[] {
    return this.#config.addresses
  }

  get ports(): Readonly<Record<string, number>> {
    return this.#config.ports
  }

  get reply(): ReplyWhen {
    return this.#config.reply
  }

  get state(): ServiceState {
    return this.#state
  }

  get instance(): Instance | undefined {
    return this.#instance
  }

  get pool(): PoolState | undefined {
    return this.#pool.state
  }

  /** As it is configured now; what runs may be older. */
  get config(): ServiceConfig {
    return this.#config
  }

  get launcher(): Launcher {
    return this.#launcher
  }

  get timelines(): Timeline[] {
    return this.#timelines.timelines
  }

  touch(): void {
    const first = !this.#idleness.requested
    this.#idleness.touch()
    if (first) this.#context.onRecord()
  }

  use(): Use {
    return this.#idleness.use()
  }

  sawFirstByte(): void {
    this.#timelines.sawFirstByte()
  }

  async summon(by: SummonedBy, options: SummonOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    this.touch()
    if (this.#state === 'ready') return
    if (this.#boot === undefined) {
      this.#refuse()
      this.#boot = new Boot(this.#timelines.begin(by))
      if (this.#state === 'stopped') this.#begin(this.#boot)
    }
    if (options.onStarted !== undefined) this.#boot.onStarted(options.onStarted)
    await this.#boot.answer(options.until ?? this.reply, options.signal)
  }

  takeChannel(): string | undefined {
    const channel = this.#channel
    this.#channel = undefined
    return channel
  }

  /** For the state file; undefined where there is nothing to remember. */
  get record(): ServiceRecord | undefined {
    const { number } = this.#timelines
    const prepared = this.#pool.records
    const kept = { ...(prepared.length > 0 && { prepared }), ...(this.#suspended && { suspended: true as const }) }
    const instance = this.#instance
    if (instance === undefined) return number === 0 && Object.keys(kept).length === 0 ? undefined : { number, ...kept }
    const { launcher, launched } = instance
    const ready = this.#state === 'ready'
    const { requested } = this.#idleness
    return { number, ...kept, running: { kind: launcher.kind, token: launched.token, ready, requested } }
  }

  /** An instance of an earlier process: it was ready, or is waited for. */
  adopt(launched: Launched, { ready, requested }: { readonly ready: boolean; readonly requested: boolean }): void {
    if (requested) this.#idleness.touch()
    this.#boot = new Boot(this.#timelines.unrecorded())
    this.#begin(this.#boot, { launched, ready })
  }

  /** Another configuration: who it is, what it answers and when it is idle from now on, all else from the next boot on. */
  reconfigure(config: ServiceConfig, launcher: Launcher): void {
    const before = this.#launcher
    this.#config = config
    this.#launcher = launcher
    this.#idleness.setLimit(config.idleSeconds * 1000)
    this.#pool.configure(config, launcher)
    if (before !== launcher && before !== this.#used) void this.#letGo(before)
  }

  /** Say again for whom the name is kept. */
  async reserve(reservation: Reservation = this.#reservation): Promise<void> {
    this.#reservation = reservation
    try {
      await reserveName(this.#context.store, this.name, reservation)
    } catch (error) {
      // A store that is away: once it is back, everything is said again.
      this.#context.log.debug(`${this.name}: its name could not be kept`, errorFields(error))
    }
  }

  /** Start nothing any more, and give up what is starting. Undone by {@link reopen}. */
  close(reason: ConduitError): void {
    this.#closed = reason
    this.#pool.rest()
    this.#attempt?.giveUp(reason)
    if (this.#attempt === undefined) this.#failBoot(reason)
  }

  /** It was removed, and is back before it was gone. */
  reopen(): void {
    this.#closed = undefined
  }

  /**
   * Stop what runs by its own mode. After {@link close}.
   * @param lastChance give up when it cannot even be destroyed
   * @throws ConduitError LAUNCHER after the last chance
   */
  async stop(lastChance: boolean): Promise<void> {
    if (lastChance) this.#lastChance.abort()
    await this.settled()
    if (this.#state === 'ready') this.#stop()
    await this.#stopping
  }

  /** Resolves when no boot is under way. */
  async settled(): Promise<void> {
    await this.#booting
  }

  /** Let go of what runs, and of the launcher once its pool is empty. After {@link close}. */
  async release(): Promise<void> {
    this.#idleness.stop()
    this.#instance?.close()
    await this.#letGo(this.#launcher)
    this.#context.pools.forget(this.#pool)
  }

  async #letGo(launcher: Launcher): Promise<void> {
    await this.#pool.emptied(launcher)
    await launcher.close()
  }

  #enter(state: ServiceState): void {
    this.#state = state
    if (state === 'starting') this.#summoned ??= this.#context.pools.summoning()
    else this.#endSummon()
    this.#context.onState(this.name)
  }

  #endSummon(): void {
    this.#summoned?.()
    this.#summoned = undefined
  }

  /** @throws ConduitError BOOT_FAILED */
  #refuse(): void {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#stuck !== undefined) throw this.#refusal(`its last instance cannot be stopped: ${this.#stuck}`)
    const pause = this.#pause.at(this.#context.clock.nowMs())
    if (pause === undefined) return
    const seconds = Math.ceil(pause.remainingMs / 1000)
    const times = pause.failures === 1 ? 'a moment ago' : `${pause.failures} times in a row`
    throw this.#refusal(`it failed ${times} and is not tried again for ${seconds} s: ${pause.why}`)
  }

  #refusal(why: string): ConduitError {
    return new ConduitError('BOOT_FAILED', `${this.name} is not booted: ${why}`, {
      endpoint: this.name,
      hint: 'a failed boot is followed by a pause of 1 s, doubled by each failure in a row up to 60 s',
    })
  }

  #begin(boot: Boot, found?: { readonly launched: Launched; readonly ready: boolean }): void {
    this.#enter('starting')
    this.#used = this.#launcher
    this.#booting = this.#run(boot, found)
  }

  async #run(boot: Boot, found?: { readonly launched: Launched; readonly ready: boolean }): Promise<void> {
    const attempt = new BootAttempt({
      context: this.#context,
      config: this.#config,
      launcher: this.#launcher,
      launch: (launchContext) => this.#launch(launchContext),
      found: found?.launched,
      step: (step) => boot.timeline.step(step),
      reserve: (reservation) => this.reserve(reservation),
      onLaunched: (instance) => {
        this.#instance = instance
        if (found === undefined) this.#channel = channelOf(instance.launched)
        boot.launched()
        this.#context.onRecord()
      },
      onActivity: () => this.#idleness.active(),
    })
    this.#attempt = attempt
    try {
      this.#becomeReady(boot, await attempt.run(found?.ready === true))
    } catch (error) {
      this.#onBootFailed(boot, attempt, error as ConduitError)
    }
  }

  async #launch(context: LaunchContext): Promise<Launched> {
    const launcher = this.#launcher
    if (!this.#suspended) return this.#pool.launch(launcher, context)
    const launched = await launcher.launch(context)
    this.#suspended = false
    return launched
  }

  #becomeReady(boot: Boot, instance: RunningInstance): void {
    this.#enter('ready')
    this.#boot = undefined
    this.#attempt = undefined
    this.#pause.succeeded()
    this.#idleness.start()
    boot.ready()
    this.#context.onRecord()
    this.#context.log.info(`${this.name} is ready`, { service: this.name, pid: instance.pid, domid: instance.domid })
    void instance.launched.ended.then((how) => this.#onEnded(instance, how))
  }

  #onBootFailed(boot: Boot, attempt: BootAttempt, error: ConduitError): void {
    const pauseMs = this.#pause.failed(this.#context.clock.nowMs(), error.message)
    this.#context.log.warn(error.message, { ...errorFields(error), service: this.name, pauseMs })
    this.#enter('stopping')
    this.#boot = undefined
    boot.failed(error)
    this.#stopWith(this.#clearAway(attempt))
  }

  async #clearAway(attempt: BootAttempt): Promise<void> {
    const leftover = await attempt.leftover()
    this.#attempt = undefined
    if (leftover !== undefined) await this.#end(leftover, 'destroy')
    attempt.close()
  }

  /** It has ended by itself. */
  #onEnded(instance: RunningInstance, how: string): void {
    if (this.#instance !== instance || this.#state !== 'ready') return
    this.#context.log.warn(`${this.name} has ended: ${how}`, { service: this.name })
    this.#idleness.stop()
    this.#onStopped()
  }

  async #onIdle(): Promise<void> {
    const instance = this.#instance
    // Asked last: it costs a few requests to the store.
    const inUse = await instance?.hasFlows()
    if (this.#state !== 'ready' || this.#instance !== instance) return
    if (inUse === true) return this.#idleness.active()
    if (this.#idleness.remainingMs() > 0) return this.#idleness.rearm()
    this.#context.log.info(`${this.name} is idle`, { service: this.name })
    this.#stop()
  }

  #stop(): void {
    const instance = this.#instance as RunningInstance
    this.#enter('stopping')
    this.#idleness.stop()
    this.#stopWith(this.#end(instance.launched, instance.config.stop))
  }

  #stopWith(ending: Promise<void>): void {
    this.#stopping = ending.then(() => this.#onStopped())
    // Whoever waits hears of it; the log has it already.
    this.#stopping.catch(() => undefined)
  }

  /** @throws ConduitError LAUNCHER after the last chance */
  async #end(launched: Launched, mode: StopMode): Promise<void> {
    const { clock, log } = this.#context
    const how = await stopInstance(launched, {
      mode,
      limitMs: this.#config.stopSeconds * 1000,
      clock,
      lastChance: this.#lastChance.signal,
      onFailure: (error, tried) => {
        const why = error instanceof Error ? error.message : String(error)
        log.error(`${this.name} could not be stopped (${tried}): ${why}`, errorFields(error))
        if (tried !== 'destroy') return
        this.#stuck = why
        this.#failBoot(this.#refusal(`its last instance cannot be stopped: ${why}`))
      },
    })
    this.#suspended = how === 'suspend'
  }

  #onStopped(): void {
    const instance = this.#instance
    this.#instance = undefined
    this.#channel = undefined
    this.#stopping = undefined
    this.#stuck = undefined
    this.#enter('stopped')
    instance?.close()
    if (this.#used !== undefined && this.#used !== this.#launcher) void this.#letGo(this.#used)
    this.#used = undefined
    this.#context.onRecord()
    if (this.#boot !== undefined) this.#begin(this.#boot)
    else void this.reserve(NOBODY)
  }

  #failBoot(error: ConduitError): void {
    const boot = this.#boot
    this.#boot = undefined
    boot?.failed(error)
  }
}

const channelOf = ({ domid, provisionedPort }: Launched): string | undefined =>
  domid === undefined || provisionedPort === undefined ? undefined : `vchan://${domid}/${provisionedPort}`
