// The demo's last part: a service that is not running, a client that asks for its name, and what happened when.
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConduitError } from '../index.js'
import type { Say } from './demo.js'
import { DemoProcess } from './demo-process.js'
import { missingPackage } from './missing-package.js'

const NAME = 'greeter'
const GREETING = 'hello, I was not there a moment ago'
const CONDUIT_CAT = fileURLToPath(new URL('./conduit-cat.js', import.meta.url))

export interface DemoSummonOptions {
  readonly runtimeDir: string
  readonly signal: AbortSignal
}

/**
 * Leaves nothing running, also when it is interrupted.
 * @throws ConduitError when the service or its client fails; the signal's reason
 */
export async function demoSummon({ runtimeDir, signal }: DemoSummonOptions, say: Say): Promise<void> {
  // Loaded here alone: no other subcommand needs what it brings along.
  const { checkedConfig, Jitsud, timelineLines } = await import('../jitsu/index.js').catch((error: unknown) => {
    throw missingPackage(error, 'the demo of jitsud') ?? error
  })
  const command = [process.execPath, CONDUIT_CAT, '-kl', NAME, '-e', `echo ${GREETING}`]
  const config = checkedConfig({ services: [{ name: NAME, launcher: { kind: 'process', command } }] }, 'the demo')
  await say(`6. jitsud, with one service: "${NAME}", which does not run`)
  await using jitsud = await Jitsud.start({ config, backend: 'local', runtimeDir })
  await say(`7. a client: conduit-cat ${NAME}`)
  // Not this process's standard output: who ends a socket ends it for all who share it.
  const received = join(runtimeDir, 'greeting')
  const fd = openSync(received, 'wx', 0o600)
  const client = new DemoProcess(['-v', NAME], { runtimeDir, stdin: 'ignore', stdout: fd })
  closeSync(fd)
  const stop = (): void => void client.stop()
  // The interruption may have come while the line above was printed.
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  await client.success().catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error
  })
  await say(`   it got: ${readFileSync(received, 'utf8').trimEnd()}`)
  const [timeline] = jitsud.timelines(NAME) ?? []
  if (timeline === undefined) throw new ConduitError('BOOT_FAILED', `demo: ${NAME} was not summoned`)
  await say('8. what happened when, as jitsud timeline shows it:')
  for (const line of timelineLines(timeline, { columns: 77 })) await say(`   ${line}`)
}
