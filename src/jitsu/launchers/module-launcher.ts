// A launcher from outside this package (docs/launchers.md): loaded by name, and looked at before it is trusted with a service.
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ModuleLauncherConfig, ServiceConfig } from '../../../protocol/jitsud-config.js'
import { ConduitError } from '../../errors.js'
import type { Launcher } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'

/** What a module's `createLauncher` is told beside the service. */
export interface LauncherSurroundings {
  /** A folder that is private to this user, for files of the launcher's own: it outlives jitsud. */
  readonly directory: string
  /** For programs that it starts. */
  readonly environment: NodeJS.ProcessEnv
  /** For its waits. */
  readonly clock: MonotonicClock
}

/** What a module exports as `createLauncher`; `options` of the configuration are in `config.launcher`. */
export type CreateLauncher = (config: ServiceConfig, surroundings: LauncherSurroundings) => Launcher | Promise<Launcher>

const HINT = 'docs/launchers.md has what a launcher module exports'

/** @throws ConduitError CONFIG when it is not there, or no launcher */
export async function loadLauncher(config: ServiceConfig, surroundings: LauncherSurroundings): Promise<Launcher> {
  const { module } = config.launcher as ModuleLauncherConfig
  const fail = (why: string, cause?: unknown): never => {
    throw new ConduitError('CONFIG', `service ${config.name}: the launcher module ${module} ${why}`, {
      endpoint: module,
      hint: HINT,
      cause,
    })
  }
  const specifier = isAbsolute(module) ? pathToFileURL(module).href : module
  const loaded: { createLauncher?: unknown } = await import(specifier).catch((cause: Error) =>
    fail(`cannot be loaded: ${cause.message}`, cause),
  )
  const { createLauncher } = loaded
  if (typeof createLauncher !== 'function') return fail('exports no function createLauncher')
  const launcher: unknown = await (createLauncher as CreateLauncher)(config, surroundings)
  const missing = missingIn(launcher)
  return missing === undefined ? (launcher as Launcher) : fail(`gave no launcher: ${missing}`)
}

/** A wrong one is better refused now than in the middle of a boot. */
function missingIn(launcher: unknown): string | undefined {
  if (typeof launcher !== 'object' || launcher === null) return 'it is no object'
  const { kind, stopModes, canKeepWarm } = launcher as Partial<Launcher>
  if (typeof kind !== 'string') return 'it has no kind'
  if (!Array.isArray(stopModes) || !stopModes.includes('destroy')) return 'its stopModes lack "destroy"'
  const methods = ['launch', 'adopt', 'close', ...(canKeepWarm === true ? (['prepare'] as const) : [])] as const
  const lacking = methods.find((name) => typeof (launcher as Partial<Launcher>)[name] !== 'function')
  return lacking && `it has no method ${lacking}`
}
