// What `doctor` looks at for jitsud in dom0: whether domains can be built without xl. Nothing fails without: xl serves.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuilderFinding, checkBuilder } from '../jitsu/launchers/check-builder.js'
import type { Check } from './doctor-check.js'

/** Whether this domain may build others (linux:drivers/xen/xenfs/super.c, capabilities). */
export function mayBuildDomains(root = '/'): boolean {
  try {
    return readFileSync(join(root, 'proc/xen/capabilities'), 'utf8').includes('control_d')
  } catch {
    return false
  }
}

export async function builderCheck(ask: () => Promise<BuilderFinding> = checkBuilder): Promise<Check> {
  const name = 'domain builder'
  const found = await ask()
  if ('version' in found) return { name, state: 'ok', text: `built for Xen ${found.version}: services of kind "xen"` }
  return { name, state: 'warn', text: `${found.text}; services of kind "xl" work without it`, fix: found.hint }
}
