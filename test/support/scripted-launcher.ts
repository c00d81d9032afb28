// A launcher that does what a test says when it says so.
import type { Domid } from '../../protocol/xen.js'
import type { LaunchContext, Launched, Launcher, PrepareContext, Prepared, StopMode } from '../../src/jitsu/launcher.js'

/** One instance as the test directs it. */
export class ScriptedInstance implements Launched {
  readonly domid: Domid | undefined
  readonly pid: number | undefined
  readonly token: unknown
  readonly ended: Promise<string>
  provisionedPort?: string
  /** How it was asked to stop, in order. */
  readonly stops: StopMode[] = []
  /** Called at each stop; ends it by default. */
  onStop: (mode: StopMode) => Promise<void> = async (mode) => {
    if (mode !== 'suspend') this.end(`stopped: ${mode}`)
  }
  end!: (how: string) => void

  constructor(where: { readonly domid?: Domid; readonly pid?: number; readonly token?: unknown } = {}) {
    this.domid = where.domid
    this.pid = where.pid
    this.token = where.token ?? { domid: where.domid }
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
  }

  async stop(mode: StopMode): Promise<void> {
    this.stops.push(mode)
    await this.onStop(mode)
  }
}

/** An instance that waits, as the test directs it. */
export class ScriptedPrepared implements Prepared {
  readonly domid: Domid | undefined
  readonly pid = undefined
  readonly token: unknown
  readonly memoryBytes: number
  readonly ended: Promise<string>
  /** Becomes this when it is launched. */
  readonly instance: ScriptedInstance
  launches = 0
  discards = 0
  /** Called by launch() once the name is kept. */
  onLaunch: (context: LaunchContext) => Promise<void> = async () => undefined
  /** Called by discard(); ends it by default. */
  onDiscard: () => Promise<void> = async () => this.end('discarded')
  end!: (how: string) => void

  constructor(where: { readonly domid?: Domid; readonly token?: unknown; readonly memoryBytes?: number } = {}) {
    this.instance = new ScriptedInstance(where)
    this.domid = where.domid
    this.token = this.instance.token
    this.memoryBytes = where.memoryBytes ?? 1 << 20
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
  }

  async launch(context: LaunchContext): Promise<Launched> {
    this.launches++
    await context.created(this.instance)
    await this.onLaunch(context)
    context.step('unpaused')
    return this.instance
  }

  async discard(): Promise<void> {
    this.discards++
    await this.onDiscard()
  }
}

/** One call of prepare() that has not been answered. */
export interface PendingPrepare {
  readonly context: PrepareContext
  succeed(prepared: ScriptedPrepared): void
  fail(error: unknown): void
}

/** One call of launch() that has not been answered. */
export interface PendingLaunch {
  readonly context: LaunchContext
  succeed(instance: ScriptedInstance): void
  fail(error: unknown): void
}

export class ScriptedLauncher implements Launcher {
  readonly kind: string
  readonly stopModes: readonly StopMode[]
  canKeepWarm = false
  preparedBytes?: number
  /** Every launch, in order. */
  readonly launches: PendingLaunch[] = []
  readonly prepares: PendingPrepare[] = []
  readonly adopted: unknown[] = []
  closed = 0
  /** Answers a launch at once where it gives an instance. */
  onLaunch: (context: LaunchContext) => ScriptedInstance | undefined = () => undefined
  /** Answers a prepare at once where it gives one. */
  onPrepare: (context: PrepareContext) => ScriptedPrepared | undefined = () => undefined
  onAdopt: (token: unknown) => Promise<Launched | undefined> = async () => undefined

  constructor(kind = 'scripted', stopModes: readonly StopMode[] = ['destroy', 'shutdown', 'suspend']) {
    this.kind = kind
    this.stopModes = stopModes
  }

  launch(context: LaunchContext): Promise<Launched> {
    return new Promise((resolve, reject) => {
      this.launches.push({ context, succeed: resolve, fail: reject })
      const instance = this.onLaunch(context)
      if (instance !== undefined) resolve(instance)
    })
  }

  prepare(context: PrepareContext): Promise<Prepared> {
    return new Promise((resolve, reject) => {
      this.prepares.push({ context, succeed: resolve, fail: reject })
      const prepared = this.onPrepare(context)
      if (prepared !== undefined) resolve(prepared)
    })
  }

  adopt(token: unknown): Promise<Launched | undefined> {
    this.adopted.push(token)
    return this.onAdopt(token)
  }

  async close(): Promise<void> {
    this.closed++
  }
}
