// `conduit-cat doctor`: which backend is chosen, whether it works here, and what to do where it does not.
import { native } from '../native.js'
import { selectBackend } from '../substrate/select.js'
import { xenStore } from '../substrate/xen/store-path.js'
import { builderCheck, mayBuildDomains } from './doctor-builder.js'
import { attempt, type Check } from './doctor-check.js'
import { channelCheck, hypervisorCheck, runtimeDirectoryCheck } from './doctor-local.js'
import { addonCheck, filesCheck, memoryCheck, nodeCheck, processorCheck } from './doctor-machine.js'
import { registrarCheck } from './doctor-registrar.js'
import { xenChecks } from './doctor-xen.js'
import { textTable } from './text-table.js'

export interface Diagnosis {
  readonly backend: string
  readonly works: boolean
  readonly checks: readonly Check[]
}

export async function diagnose(): Promise<Diagnosis> {
  const backend = selectBackend()
  const chosen = process.env.CONDUIT_BACKEND ? 'from CONDUIT_BACKEND' : 'what this machine is fit for'
  const checks: Check[] = [
    { name: 'backend', state: 'ok', text: `${backend} (${chosen})` },
    nodeCheck(),
    addonCheck(),
    await attempt('shared memory', memoryCheck),
    processorCheck(),
    await attempt('open files', filesCheck),
  ]
  // On Xen too: connections within a domain are the local backend's.
  const directory = await attempt('runtime directory', runtimeDirectoryCheck)
  checks.push(directory)
  // Nothing can run where nothing can be: one finding, not two.
  if (directory.state === 'ok') checks.push(await attempt('local hypervisor', hypervisorCheck))
  checks.push(...(await xenChecks(backend === 'xen')))
  if (backend === 'xen') checks.push(await attempt('registrar', () => registrarCheck(xenStore(native))))
  if (mayBuildDomains()) checks.push(await attempt('domain builder', builderCheck))
  checks.push(await attempt('channel', channelCheck))
  return { backend, works: checks.every(({ state }) => state !== 'fail'), checks }
}

/** A line a check, what to do below it, and the verdict. */
export function diagnosisLines({ backend, works, checks }: Diagnosis): string[] {
  const table = textTable(
    ['', 'CHECK', 'FINDING'],
    checks.map(({ state, name, text }) => [state, name, text]),
  )
  const indent = ' '.repeat(6)
  const lines = checks.flatMap(({ fix }, index) => [table[index + 1]!, ...(fix ? [`${indent}-> ${fix}`] : [])])
  return [...lines, works ? `the ${backend} backend works` : `the ${backend} backend does not work here`]
}
