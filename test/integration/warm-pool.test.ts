// A pool of real programs, each at its gate, in a real jitsud.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { openEnvironment } from '../../src/open.js'
import { eventually } from '../support/eventually.js'
import { type JitsudProcess, JitsudWorld, runs } from '../support/jitsud-process.js'
import { commandLines } from '../support/local-world.js'

const ADMIN = { listen: '127.0.0.1:0' }

describe('programs that are kept warm', () => {
  let world: JitsudWorld
  beforeEach(() => {
    world = new JitsudWorld()
  })
  afterEach(() => world.close())

  const service = (name: string, more = {}) => world.conduitService(name, { keepWarm: 2, ...more })
  /** Who stands at the gate of a service now. */
  const waiting = (name: string): number[] =>
    [...commandLines()]
      .filter(
        ([pid, args]) => args[0] === '/bin/sh' && args[1] === '-c' && args[3]?.endsWith(`/${name}.out`) && runs(pid),
      )
      .map(([pid]) => pid)
  const wait = (name: string, count: number): Promise<number[]> =>
    eventually(() => {
      const pids = waiting(name)
      return pids.length === count ? pids : undefined
    })
  const asks = async (...names: string[]): Promise<string[]> => {
    const environment = await openEnvironment({ backend: 'local', runtimeDir: world.runtimeDir })
    try {
      return await Promise.all(names.map(async (name) => text(await environment.connect(name))))
    } finally {
      await environment.close()
    }
  }
  const adminOf = (jitsud: JitsudProcess) => ['--admin', jitsud.serving.admin!]

  it('become the service when it is summoned, and are replaced', async () => {
    const jitsud = await world.start({ admin: ADMIN, services: [service('www')] })
    const warm = await wait('www', 2)
    const [answer] = await asks('www')
    const [pid] = world.starts('www')
    expect(warm).to.include(pid)
    expect(answer).to.equal(`process ${pid}\n`)
    const next = await wait('www', 2)
    expect(next).to.not.include(pid)
    const { output } = await world.run(['timeline', 'www', ...adminOf(jitsud)])
    expect(output).to.match(/from the pool .*\n.*unpaused/)
    expect(output).to.not.match(/built/)
    const status = await world.run(['status', ...adminOf(jitsud)])
    expect(status.output).to.match(/^warm www: 2 of 2, [0-9.]+ MiB: prepared 3, taken 1$/m)
    // It ends, and its place is taken at once.
    process.kill(pid!, 'SIGKILL')
    await eventually(() => !runs(pid!))
    const [again] = await asks('www')
    expect(next.map((one) => `process ${one}\n`)).to.include(again)
  })

  it('that are killed are missed and replaced', async () => {
    const jitsud = await world.start({ services: [service('www')] })
    const [first] = await wait('www', 2)
    process.kill(first!, 'SIGKILL')
    await jitsud.says(/www: an instance that is kept warm has ended: killed by SIGKILL/)
    expect(await wait('www', 2)).to.not.include(first)
  })

  it('serve ten names that are asked for at once', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `s${i}`)
    await world.start({ services: names.map((name) => service(name, { keepWarm: 1 })) })
    const warm: number[] = []
    for (const name of names) warm.push(...(await wait(name, 1)))
    const answers = await asks(...names)
    expect(answers).to.have.members(warm.map((pid) => `process ${pid}\n`))
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`are gone after ${signal} of jitsud, and there again with the next`, async () => {
      const config = { services: [service('www')] }
      const first = await world.start(config)
      const warm = await wait('www', 2)
      await first.end(signal)
      await wait('www', 0)
      expect(warm.some(runs)).to.equal(false)
      const next = await world.start(config)
      await wait('www', 2)
      await next.end('SIGTERM')
      const state = JSON.parse(readFileSync(join(world.runtimeDir, 'jitsud-state.json'), 'utf8'))
      expect([state.services, waiting('www')]).to.deep.equal([{}, []])
    })
  }

  it('follow the configuration', async () => {
    const jitsud = await world.start({ services: [service('www', { keepWarm: 3 })] })
    const [oldest] = await wait('www', 3)
    const reload = async (more: object): Promise<void> => {
      const from = jitsud.log.length
      world.configure({ services: [service('www', more)] })
      jitsud.child.kill('SIGHUP')
      await jitsud.says(/^jitsud serves$/, from)
    }
    await reload({ keepWarm: 1 })
    expect(await wait('www', 1)).to.deep.equal([oldest])
    await reload({ keepWarm: 1, launcher: { kind: 'process', command: ['sleep', '1000'] } })
    await eventually(() => !runs(oldest!))
    await wait('www', 1)
    await reload({ keepWarm: 0 })
    await wait('www', 0)
  })

  it('cost nothing but themselves while they wait: their output is the one’s that runs', async () => {
    const jitsud = await world.start({
      services: [
        {
          name: 'www',
          keepWarm: 1,
          ready: { when: 'delay', delaySeconds: 0 },
          launcher: { kind: 'process', command: ['sh', '-c', 'echo "I am $$"; exec sleep 1000'] },
        },
      ],
    })
    const [first] = await wait('www', 1)
    const environment = await openEnvironment({ backend: 'local', runtimeDir: world.runtimeDir })
    const asked = environment.connect('www', { wait: true }).catch(() => undefined)
    await jitsud.says(new RegExp(`^I am ${first}$`))
    const next = await wait('www', 1)
    expect(next).to.not.include(first)
    await environment.close()
    await asked
  })
})
