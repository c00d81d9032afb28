// What bench/jitsud.ts measures, each on a jitsud of its own in a runtime directory of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { queryDns } from '../src/resolver/dns-client.js'
import { eventually } from '../test/support/eventually.js'
import { type JitsudProcess, JitsudWorld, runs } from '../test/support/jitsud-process.js'

/** Of one sign of readiness, in milliseconds. */
export interface Starts {
  readonly ready: 'conduit' | 'port'
  /** From the spawn to the program's word that it listens. */
  readonly bareMs: readonly number[]
  /** From the question to the answer. */
  readonly summonMs: readonly number[]
}

/** Many who ask for one service that is stopped. */
export interface Herd {
  readonly questions: number
  readonly answered: number
  readonly launches: number
  readonly firstMs: number
  readonly lastMs: number
}

const LISTENING = fileURLToPath(new URL('./jitsud-listening.js', import.meta.url))
const QUIET = ['--log-level', 'info']
const KIB = 1024
/** Of one process's sockets at a time. */
const SOCKETS = 250

/** Bare starts and summons in turn, so that the machine's mood favours neither. */
export async function measureStarts(ready: Starts['ready'], count: number): Promise<Starts> {
  const world = new JitsudWorld()
  try {
    const port = await freePort()
    const where = ready === 'conduit' ? ['conduit', 'www'] : ['port', String(port)]
    const jitsud = await world.start(config(world, { ready, port, where }), QUIET)
    // The local hypervisor stays with jitsud: neither way has to start it.
    const bareMs: number[] = []
    const summonMs: number[] = []
    for (let i = 0; i < count; i++) {
      const bare = ready === 'conduit' ? ['conduit', `bare${i}`] : where
      bareMs.push(await bareStart(world, bare))
      summonMs.push(await summon(world, jitsud))
    }
    return { ready, bareMs, summonMs }
  } finally {
    await world.close()
  }
}

export async function herd(questions: number): Promise<Herd> {
  const world = new JitsudWorld()
  try {
    const jitsud = await world.start(config(world, { ready: 'conduit', port: 0, where: ['conduit', 'www'] }), QUIET)
    const startMs = performance.now()
    const times: number[] = []
    const ask = async (): Promise<void> => {
      const { answers } = await question(jitsud)
      if (answers.length === 1) times.push(performance.now() - startMs)
    }
    await Promise.all(
      Array.from({ length: Math.min(SOCKETS, questions) }, async (_, i) => {
        const share = Math.floor(questions / SOCKETS) + (i < questions % SOCKETS ? 1 : 0)
        await Promise.all(Array.from({ length: share }, ask))
      }),
    )
    return {
      questions,
      answered: times.length,
      launches: world.starts('www').length,
      firstMs: Math.min(...times),
      lastMs: Math.max(...times),
    }
  } finally {
    await world.close()
  }
}

/** Resident bytes of a jitsud whose services nobody asks for. */
export async function idleMemory(services: number): Promise<number> {
  const world = new JitsudWorld()
  try {
    const jitsud = await world.start(
      {
        dns: { listen: '127.0.0.1:0' },
        admin: { listen: '127.0.0.1:0' },
        services: Array.from({ length: services }, (_, i) => ({
          ...world.conduitService(`service${i}`),
          hold: [{ address: '127.0.0.1:0', handover: 'conduit' }],
        })),
      },
      QUIET,
    )
    // Asked for once, so that what is built on demand is there.
    await world.run(['status', '--json', '--admin', jitsud.serving.admin!])
    const status = readFileSync(`/proc/${jitsud.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * KIB
  } finally {
    await world.close()
  }
}

function config(world: JitsudWorld, { ready, port, where }: { ready: Starts['ready']; port: number; where: string[] }) {
  return {
    dns: { listen: '127.0.0.1:0', ttl: 0 },
    services: [
      {
        name: 'www',
        dns: ['www.example.org'],
        addresses: ['127.0.0.1'],
        launcher: { kind: 'process', command: [process.execPath, LISTENING, journal(world), ...where] },
        ready: ready === 'conduit' ? { when: 'conduit' } : { when: 'port', port },
      },
    ],
  }
}

const journal = (world: JitsudWorld): string => join(world.directory, 'www.starts')

async function bareStart(world: JitsudWorld, where: readonly string[]): Promise<number> {
  const startMs = performance.now()
  const child = spawn(process.execPath, [LISTENING, join(world.directory, 'bare.starts'), ...where], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...world.env },
  })
  await once(child.stdout, 'data')
  const tookMs = performance.now() - startMs
  child.kill('SIGKILL')
  await once(child, 'close')
  return tookMs
}

async function summon(world: JitsudWorld, jitsud: JitsudProcess): Promise<number> {
  const startMs = performance.now()
  const { answers } = await question(jitsud)
  const tookMs = performance.now() - startMs
  if (answers.length !== 1) throw new Error('no answer')
  const pid = world.starts('www').at(-1)!
  const before = jitsud.log.length
  process.kill(pid, 'SIGKILL')
  await jitsud.says(/^www has ended/, before)
  await eventually(() => !runs(pid))
  return tookMs
}

const question = (jitsud: JitsudProcess) =>
  queryDns({ servers: [jitsud.serving.dns!], name: 'www.example.org', type: 'A', timeoutMs: 30_000 })

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
