// Whether a launcher can do what the configuration of its service asks for: better said at the start than at the first stop.
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import { ConduitError } from '../errors.js'
import type { Launcher } from './launcher.js'

/** @throws ConduitError CONFIG */
export function checkAbilities({ name, stop, keepWarm }: ServiceConfig, launcher: Launcher): void {
  const refuse = (key: string, value: unknown, hint: string): never => {
    throw new ConduitError('CONFIG', `service ${name}: the launcher ${launcher.kind} cannot do "${key}": ${value}`, {
      endpoint: name,
      hint,
    })
  }
  if (!launcher.stopModes.includes(stop)) {
    refuse(
      'stop',
      JSON.stringify(stop),
      `it takes ${launcher.stopModes.map((mode) => JSON.stringify(mode)).join(', ')}`,
    )
  }
  if (keepWarm > 0 && (launcher.canKeepWarm !== true || launcher.prepare === undefined)) {
    refuse('keepWarm', keepWarm, 'leave keepWarm out: this launcher keeps no instances built beforehand')
  }
}
