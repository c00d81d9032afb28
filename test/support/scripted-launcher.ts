// A launcher that does what a test says when it says so.
import type { Domid } from '../../protocol/xen.js'
import type { LaunchContext, Launched, Launcher, StopMode } from '../../src/jitsu/launcher.js'

/** One instance as the test directs it. */
export class ScriptedInstance implements Launched {
  readonly domid: Domid | undefined
  readonly pid: number | undefined
  readonly token: unknown
  readonly ended: Promise<string>
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
  /** Every launch, in order. */
  readonly launches: PendingLaunch[] = []
  readonly adopted: unknown[] = []
  closed = 0
  /** Answers a launch at once where it gives an instance. */
  onLaunch: (context: LaunchContext) => ScriptedInstance | undefined = () => undefined
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

  adopt(token: unknown): Promise<Launched | undefined> {
    this.adopted.push(token)
    return this.onAdopt(token)
  }

  async close(): Promise<void> {
    this.closed++
  }
}
