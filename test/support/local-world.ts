// A runtime directory of a test's own, with the real local hypervisor in it: started by whoever attaches, seen
// through /proc, and gone at the end.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LocalSubstrate } from '../../src/substrate/local/local-substrate.js'
import { testOver } from './running-test.js'

/** The hypervisor's main module, as compiled beside this file. */
export const HYPERVISOR_ENTRY = fileURLToPath(new URL('../../src/cli/local-hypervisor.js', import.meta.url))

export interface LocalWorld {
  readonly directory: string
  attach(): Promise<LocalSubstrate>
  /** Process ids of the hypervisors that serve the directory. */
  hypervisors(): number[]
  /** Waits until every hypervisor has left by itself, then removes the directory. */
  close(): Promise<void>
}

/** Poll until `condition` holds; the test's own time limit is the bound. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const over = testOver()
  while (!(await condition())) {
    over.throwIfAborted()
    await delay(5)
  }
}

/** Arguments of every running process, by pid. */
export function commandLines(): Map<number, string[]> {
  const found = new Map<number, string[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      found.set(Number(name), readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, -1))
    } catch {
      // It ended while we looked.
    }
  }
  return found
}

/** What a process was started with, as NAME=VALUE; nothing of one that has ended. */
export function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return []
  }
}

export function localWorld(): LocalWorld {
  const directory = mkdtempSync(join(tmpdir(), 'conduit-test-'))
  const attached: LocalSubstrate[] = []
  const hypervisors = (): number[] =>
    [...commandLines()]
      .filter(([, args]) => args.includes(HYPERVISOR_ENTRY) && args.at(-1) === directory)
      .map(([pid]) => pid)
  return {
    directory,
    hypervisors,
    attach: async () => {
      const substrate = await LocalSubstrate.attach({ directory, entry: HYPERVISOR_ENTRY })
      attached.push(substrate)
      return substrate
    },
    close: async () => {
      for (const substrate of attached) await substrate.close()
      await until(() => hypervisors().length === 0)
      rmSync(directory, { recursive: true })
    },
  }
}
