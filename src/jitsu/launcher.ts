// How a service is started and stopped: the interface of every launcher, in this tree or outside it. A launcher knows nothing of
// names, readiness or idleness.
import type { Instance } from './summon.js'

/** `destroy` takes the power away, `shutdown` asks it to end, `suspend` keeps its memory for a quick return. */
export type StopMode = 'destroy' | 'shutdown' | 'suspend'

/** Steps that only who launches can see, as they happen; `taken` is the pool's. */
export type LaunchStep = 'taken' | 'built' | 'unpaused'

/** What a launcher is told with a launch. */
export interface LaunchContext {
  /** The service's conduit name: name the domain after it. */
  readonly service: string
  /** Aborts when the boot is given up: stop what was begun, leave nothing. */
  readonly signal: AbortSignal
  /**
   * Call it when domid or pid are known, and wait for it before letting the instance run: its name is then kept for it. What was
   * not told here is when {@link Launcher.launch} resolves.
   */
  created(instance: Instance): Promise<void>
  /** For the timeline. */
  step(step: LaunchStep): void
  /** A line that the service or its tool printed, for the log. */
  log(line: string): void
}

/** What is running. */
export interface Launched extends Instance {
  /** What {@link Launcher.adopt} needs to find it again in another process: plain JSON, kept in the state file. */
  readonly token: unknown
  /** Resolves when it has ended by whatever cause, with what is known of it, such as `exit status 1`. Never rejects. */
  readonly ended: Promise<string>
  /**
   * Resolves when it is stopped, or suspended.
   * @throws ConduitError LAUNCHER when it cannot be stopped
   */
  stop(mode: StopMode): Promise<void>
}

/** What a launcher is told when an instance is to be made ready for a later launch. */
export interface PrepareContext {
  /** The service's conduit name, which stays free: the domain is named after it when it is launched. */
  readonly service: string
  /** Aborts when it is not wanted any more: leave nothing. */
  readonly signal: AbortSignal
  /** A line for the log. */
  log(line: string): void
}

/** An instance that is built and has not run: nobody can reach it, and it asks for no name. */
export interface Prepared extends Instance {
  /**
   * Plain JSON, kept in the state file. After a crash of jitsud {@link Launcher.adopt} is asked for it in another process, to
   * stop what it finds with `destroy`.
   */
  readonly token: unknown
  /** Resolves when it has ended by whatever cause, {@link discard} too. Never rejects. */
  readonly ended: Promise<string>
  /** Of the machine, for as long as it is kept. */
  readonly memoryBytes: number
  /**
   * As {@link Launcher.launch}, once: give it its name, call `created`, let it run. What fails, or is aborted, leaves nothing.
   * @throws ConduitError LAUNCHER; the signal's reason
   */
  launch(context: LaunchContext): Promise<Launched>
  /**
   * Take it away. Idempotent, and after {@link launch} without effect.
   * @throws ConduitError LAUNCHER when it cannot be
   */
  discard(): Promise<void>
}

/** Starts instances of one service. */
export interface Launcher {
  /** As the configuration names it: `process`, `xl`, `libvirt`. */
  readonly kind: string
  /** The modes that {@link Launched.stop} takes. */
  readonly stopModes: readonly StopMode[]
  /** Whether instances can be made ready beforehand, for `keepWarm`: then there is {@link prepare}. False where it is left out. */
  readonly canKeepWarm?: boolean
  /** Memory that one prepared instance will take, where it is known before there is one: what is too large is then not even built. */
  readonly preparedBytes?: number
  /**
   * Start it, or resume what was suspended. Resolves when it runs, not when it is ready.
   * @throws ConduitError LAUNCHER, with what the tool said; the signal's reason
   */
  launch(context: LaunchContext): Promise<Launched>
  /**
   * Build an instance that waits for its launch. Never of something suspended.
   * @throws ConduitError LAUNCHER, with what the tool said; the signal's reason
   */
  prepare?(context: PrepareContext): Promise<Prepared>
  /**
   * Find what an earlier process launched or prepared; undefined when it no longer runs.
   * @throws ConduitError LAUNCHER when that cannot be told
   */
  adopt(token: unknown, context: LaunchContext): Promise<Launched | undefined>
  /** Idempotent: lets go of connections and children of the launcher itself, not of what it launched. */
  close(): Promise<void>
}
