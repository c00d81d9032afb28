// How a service is started and stopped: the interface of every launcher, in this tree or outside it. A launcher knows nothing of
// names, readiness or idleness.
import type { Instance } from './summon.js'

/** `destroy` takes the power away, `shutdown` asks it to end, `suspend` keeps its memory for a quick return. */
export type StopMode = 'destroy' | 'shutdown' | 'suspend'

/** Steps that only the launcher can see, as they happen. */
export type LaunchStep = 'built' | 'unpaused'

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

/** Starts instances of one service. */
export interface Launcher {
  /** As the configuration names it: `process`, `xl`, `libvirt`. */
  readonly kind: string
  /** The modes that {@link Launched.stop} takes. */
  readonly stopModes: readonly StopMode[]
  /** Whether it keeps as many instances built and paused as `keepWarm` says; false where it is left out. */
  readonly canKeepWarm?: boolean
  /**
   * Start it, or resume what was suspended. Resolves when it runs, not when it is ready.
   * @throws ConduitError LAUNCHER, with what the tool said; the signal's reason
   */
  launch(context: LaunchContext): Promise<Launched>
  /**
   * Find what an earlier process launched; undefined when it no longer runs.
   * @throws ConduitError LAUNCHER when that cannot be told
   */
  adopt(token: unknown, context: LaunchContext): Promise<Launched | undefined>
  /** Idempotent: lets go of connections and children of the launcher itself, not of what it launched. */
  close(): Promise<void>
}
