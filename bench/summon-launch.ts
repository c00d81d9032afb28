// The ways of starting a guest that bench:summon compares: xl as it is, xl with as little as it takes, and the launcher that builds
// domains itself, at once or from what it has prepared.
import { writeFileSync } from 'node:fs'
import { parseJitsudConfig } from '../protocol/jitsud-config.js'
import type { Domid } from '../protocol/xen.js'
import type { LaunchContext, Launcher, Prepared } from '../src/jitsu/launcher.js'
import type { Launchers } from '../src/jitsu/launchers/launchers.js'
import { here } from '../test/support/xen-machine.js'
import type { GuestType } from './summon-cases.js'
import { PORT, type Started, startedOf } from './summon-guest.js'

export interface GuestKind {
  readonly type: GuestType
  readonly mib: number
  /** Path of its image. */
  readonly kernel: string
}

/** No daemon that waits for the domain's end, no question of the domain's memory first, no word. */
const MINIMUM = '-q -e'

const signal = new AbortController().signal

/** @param minimum leave out what can be left out */
export async function createByXl(name: string, kind: GuestKind, domid: number, minimum: boolean): Promise<Started> {
  const file = `/tmp/${name}.cfg`
  const lines = [
    `name="${name}"`,
    `type="${kind.type}"`,
    `kernel="${kind.kernel}"`,
    `memory=${kind.mib}`,
    `vcpus=1`,
    `cmdline="port=${PORT}"`,
    ...(minimum ? ['claim_mode=0', 'on_crash="destroy"'] : []),
  ]
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  await run(`xl create ${minimum ? MINIMUM : ''} ${file} > /dev/null`)
  return { domid: domid as Domid, destroy: () => run(`xl destroy ${name}`) }
}

async function run(command: string): Promise<void> {
  const { status, errors } = await here.run(command)
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${errors}`)
}

/** The launcher of such guests; close it. */
export function launcherOf(launchers: Launchers, kind: GuestKind, provisioned = false): Promise<Launcher> {
  const launcher = {
    ...{ kind: 'xen', kernel: kind.kernel, type: kind.type, memory: `${kind.mib}MiB` },
    ...(provisioned ? { provisioned: { port: PORT } } : { cmdline: `port=${PORT}` }),
  }
  const parsed = parseJitsudConfig({ services: [{ name: 'bench', launcher }] })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  return launchers.launcherOf(parsed.config.services[0]!)
}

function contextOf(service: string): LaunchContext {
  return { service, signal, created: async () => undefined, step: () => undefined, log: () => undefined }
}

export async function launch(launcher: Launcher | Prepared, service: string): Promise<Started> {
  return startedOf(await launcher.launch(contextOf(service)))
}

export function prepare(launcher: Launcher, service: string): Promise<Prepared> {
  return launcher.prepare!({ service, signal, log: () => undefined })
}
