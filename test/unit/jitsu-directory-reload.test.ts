// What the directory does as a whole: configurations that change, launchers that cannot, the end, and what is found again.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import { reservedNames } from '../../src/conduit/reservations.js'
import { ConduitError } from '../../src/errors.js'
import { DirectoryWorld, servicesOf } from '../support/directory-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ScriptedInstance, ScriptedLauncher } from '../support/scripted-launcher.js'

const AT_ONCE = { ready: { when: 'delay', delaySeconds: 0 } }
const command = (...words: string[]) => ({ launcher: { kind: 'process', command: words } })

describe('the directory', () => {
  let world: DirectoryWorld
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-state-'))
  })
  afterEach(async () => {
    await world.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const start = async (services: readonly ServiceConfig[], options = {}): Promise<void> => {
    world = await DirectoryWorld.start(services, options)
  }
  const ready = (name: string) =>
    eventually(() => {
      world.clock.advance(0)
      return world.service(name).state === 'ready'
    })
  const run = async (name: string): Promise<ScriptedInstance> => {
    const { instance } = await world.instance()
    const launcher = world.launcher(name)
    const before = launcher.launches.length
    await world.service(name).summon('dns', { until: 'immediate' })
    await eventually(() => launcher.launches.length > before)
    launcher.launches.at(-1)!.succeed(instance)
    await ready(name)
    return instance
  }
  const stateFile = (): string => join(folder, 'state.json')
  const saved = () => JSON.parse(readFileSync(stateFile(), 'utf8'))

  describe('with another configuration', () => {
    it('keeps what runs, finds what is new and stops what was removed by its mode', async () => {
      await start(servicesOf({ name: 'a', ...AT_ONCE }, { name: 'b', stop: 'shutdown', dns: ['b.org'], ...AT_ONCE }))
      let changes = 0
      world.directory.onChange(() => changes++)
      const [a, b] = [await run('a'), await run('b')]
      const before = world.service('a')
      await world.directory.reload(servicesOf({ name: 'c' }, { name: 'a', ...AT_ONCE }))
      expect([...world.directory].map(({ name }) => name)).to.deep.equal(['c', 'a'])
      expect([world.directory.byName('b'), world.directory.byDns('b.org')]).to.deep.equal([undefined, undefined])
      expect([world.service('a'), changes]).to.deep.equal([before, 1])
      await eventually(() => world.launcher('b').closed === 1)
      expect([a.stops, b.stops, world.service('a').state]).to.deep.equal([[], ['shutdown'], 'ready'])
      await eventually(async () => !(await reservedNames(world.store)).includes('b'))
    })

    it('answers by the new names at once, and uses the new launcher from the next boot on', async () => {
      const launchers: ScriptedLauncher[] = []
      const first = new ScriptedInstance()
      await start(servicesOf({ name: 'a', dns: ['a.org'], ...command('old'), ...AT_ONCE }), {
        launchers: () => {
          const made = new ScriptedLauncher()
          made.onLaunch = () => (launchers.length === 1 ? first : new ScriptedInstance())
          launchers.push(made)
          return made
        },
      })
      await world.service('a').summon('dns', { until: 'started' })
      await ready('a')
      await world.directory.reload(
        servicesOf({
          name: 'a',
          dns: ['b.org'],
          reply: 'started',
          addresses: ['192.0.2.1'],
          ...command('new'),
          ...AT_ONCE,
        }),
      )
      expect(world.directory.byDns('b.org')).to.deep.include({ name: 'a', state: 'ready', reply: 'started' })
      expect(world.directory.byDns('a.org')).to.equal(undefined)
      expect(launchers.map(({ launches, closed }) => [launches.length, closed])).to.deep.equal([
        [1, 0],
        [0, 0],
      ])
      first.end('gone')
      await eventually(() => launchers[0]!.closed === 1)
      await world.service('a').summon('dns')
      expect(launchers.map(({ launches, closed }) => [launches.length, closed])).to.deep.equal([
        [1, 1],
        [1, 0],
      ])
    })

    it('changes nothing when part of it is refused', async () => {
      await start(servicesOf({ name: 'a', dns: ['a.org'] }))
      const launcher = new ScriptedLauncher('limited', ['destroy'])
      world.launchers.set('b', launcher)
      const error = await expectCode(
        world.directory.reload(servicesOf({ name: 'a', dns: ['new.org'] }, { name: 'b', stop: 'suspend' })),
        'CONFIG',
      )
      expect([error.message, error.hint]).to.deep.equal([
        'service b: the launcher limited cannot do "stop": "suspend"',
        'it takes "destroy"',
      ])
      expect([...world.directory].map(({ dns }) => dns)).to.deep.equal([['a.org']])
      expect(launcher.closed).to.equal(1)
    })

    it('has back what it removed before that was gone', async () => {
      await start(servicesOf({ name: 'a', ...AT_ONCE }))
      const instance = await run('a')
      let stopped!: () => void
      instance.onStop = () => new Promise((resolve) => (stopped = resolve))
      await world.directory.reload([])
      await eventually(() => instance.stops.length === 1)
      await world.directory.reload(servicesOf({ name: 'a', ...AT_ONCE }))
      expect(world.service('a').state).to.equal('stopping')
      const asked = world.service('a').summon('dns', { until: 'started' })
      await turns()
      expect(world.launcher('a').launches).to.have.length(1)
      stopped()
      await eventually(() => world.launcher('a').launches.length === 2)
      world.launcher('a').launches[1]!.succeed((await world.instance()).instance)
      await asked
      expect(await reservedNames(world.store)).to.deep.equal(['a'])
    })
  })

  it('is refused to whoever is not dom0', async () => {
    world = await DirectoryWorld.bare()
    const guest = await world.guest()
    await expectCode(world.open(servicesOf({ name: 'a' }), { store: guest.store }), 'EACCES')
  })

  it('keeps every name for nobody but the instance that runs', async () => {
    await start(servicesOf({ name: 'a', ...AT_ONCE }, { name: 'b' }))
    const stranger = await world.guest()
    expect(await stranger.ask('register', 'a')).to.equal('EACCES')
    const { guest, instance } = await world.instance()
    await world.service('a').summon('dns', { until: 'immediate' })
    await eventually(() => world.launcher('a').launches.length === 1)
    // Before it runs: it may ask for its name at once.
    await world.launcher('a').launches[0]!.context.created(instance)
    expect(await guest.ask('register', 'b')).to.equal('EACCES')
    expect(await guest.ask('register', 'a')).to.equal('ok')
    world.launcher('a').launches[0]!.succeed(instance)
    await ready('a')
    instance.end('gone')
    await eventually(() => world.service('a').state === 'stopped')
    await guest.withdraw('register', 'a')
    await eventually(async () => (await world.store.readText('/conduit/host-id/reserved/a')) === 'nobody')
    expect(await stranger.ask('register', 'b')).to.equal('EACCES')
    await world.directory.close()
    await stranger.withdraw('register', 'b')
    expect(await stranger.ask('register', 'b')).to.equal('ok')
  })

  describe('closed', () => {
    it('leaves what runs, and gives up what boots', async () => {
      await start(servicesOf({ name: 'a', ...AT_ONCE }, { name: 'b', ready: { when: 'key' } }))
      const a = await run('a')
      const { instance: b } = await world.instance()
      const asked = world.service('b').summon('dns')
      await turns()
      world.launcher('b').launches[0]!.succeed(b)
      await turns()
      const [, error] = await Promise.all([world.directory.close(), expectCode(asked, 'BOOT_FAILED')])
      expect(error.message).to.equal('jitsud is ending')
      await eventually(() => b.stops.length === 1)
      expect([a.stops, b.stops]).to.deep.equal([[], ['destroy']])
      await expectCode(world.service('b').summon('dns'), 'BOOT_FAILED')
      expect([world.launcher('a').closed, world.launcher('b').closed, world.clock.waiting]).to.deep.equal([1, 1, 0])
    })

    it('stops what runs by its mode when it is told to, and gives up what cannot be stopped', async () => {
      await start(servicesOf({ name: 'a', stop: 'suspend', ...AT_ONCE }, { name: 'b', ...AT_ONCE }))
      const [a, b] = [await run('a'), await run('b')]
      b.onStop = async () => {
        throw new ConduitError('LAUNCHER', 'never')
      }
      await world.directory.close({ stopServices: true })
      expect([a.stops, b.stops]).to.deep.equal([['suspend'], ['destroy']])
      expect(world.log.lines.join()).to.include('error b could not be stopped (destroy): never')
    })
  })

  describe('with a state file', () => {
    it('finds what runs again, with its number, and stops it when it is idle', async () => {
      const services = servicesOf({ name: 'a', idleSeconds: 60, ...AT_ONCE })
      await start(services, { stateFile: stateFile() })
      const first = await run('a')
      await world.directory.close()
      expect(saved().services.a).to.deep.include({ number: 1 })
      const second = new ScriptedInstance({ domid: first.domid! })
      world.launcher('a').onAdopt = async () => second
      await world.open(services, { stateFile: stateFile() })
      expect(world.launcher('a').adopted).to.deep.equal([first.token])
      await ready('a')
      expect(world.directory.timelines()).to.deep.equal([])
      world.clock.advance(60_000)
      await eventually(() => world.service('a').state === 'stopped')
      expect([first.stops, second.stops]).to.deep.equal([[], ['destroy']])
      await run('a')
      expect(world.directory.timelines()[0]).to.have.property('number', 2)
    })

    it('leaves alone what nobody has ever asked for', async () => {
      const services = servicesOf({ name: 'a', idleSeconds: 60, ...AT_ONCE })
      writeFileSync(
        stateFile(),
        JSON.stringify({
          version: 1,
          services: { a: { number: 0, running: { kind: 'scripted', token: 1, ready: true, requested: false } } },
        }),
      )
      world = await DirectoryWorld.bare()
      const { instance } = await world.instance()
      world.launcher('a').onAdopt = async () => instance
      await world.open(services, { stateFile: stateFile() })
      await ready('a')
      world.clock.advance(1e9)
      await turns()
      expect([world.service('a').state, instance.stops]).to.deep.equal(['ready', []])
      // One question, and it is like any other.
      await world.service('a').summon('dns')
      world.clock.advance(60_000)
      await eventually(() => world.service('a').state === 'stopped')
    })

    it('waits for the readiness of what was booting, and boots what has ended', async () => {
      const services = servicesOf({ name: 'a', ready: { when: 'key' } }, { name: 'b', ...AT_ONCE })
      const running = (ready: boolean) => ({ kind: 'scripted', token: 1, ready, requested: true })
      writeFileSync(
        stateFile(),
        JSON.stringify({
          version: 1,
          services: { a: { number: 1, running: running(false) }, b: { number: 7, running: running(true) } },
        }),
      )
      world = await DirectoryWorld.bare()
      const { guest, instance } = await world.instance()
      world.launcher('a').onAdopt = async () => instance
      await world.open(services, { stateFile: stateFile() })
      expect([world.service('a').state, world.service('b').state]).to.deep.equal(['starting', 'stopped'])
      await guest.store.write('data/jitsu/ready', '1')
      await ready('a')
      await run('b')
      await eventually(() => saved().services.b.number === 8)
    })

    it('remembers what could not be looked for, and forgets it with the next launch', async () => {
      const services = servicesOf({ name: 'a', ...AT_ONCE })
      await start(services, { stateFile: stateFile() })
      await run('a')
      await world.directory.close()
      const before = saved()
      world.launcher('a').onAdopt = async () => {
        throw new ConduitError('LAUNCHER', 'libvirtd does not answer')
      }
      await world.open(services, { stateFile: stateFile() })
      expect(world.log.lines.join()).to.include('whether it still runs could not be found out')
      await turns()
      expect(saved()).to.deep.equal(before)
      const instance = await run('a')
      await eventually(() => saved().services.a.running?.token.domid === instance.domid)
    })

    it('gives up a launcher that never says whether it still runs', async () => {
      const services = servicesOf({ name: 'a', ...AT_ONCE })
      await start(services, { stateFile: stateFile() })
      await run('a')
      await world.directory.close()
      world.launcher('a').onAdopt = () => new Promise(() => undefined)
      const opening = world.open(services, { stateFile: stateFile() })
      await eventually(() => world.launcher('a').adopted.length === 1)
      world.clock.advance(10_000)
      await opening
      expect(world.log.lines.join()).to.include('whether it still runs could not be found out')
      expect(world.service('a').state).to.equal('stopped')
    })

    it('sets a file aside that it cannot understand, and begins anew', async () => {
      for (const text of [
        '',
        '{',
        '[]',
        '{"version":2,"services":{}}',
        '{"version":1,"services":{"a":{"number":-1}}}',
      ]) {
        writeFileSync(stateFile(), text)
        await start(servicesOf({ name: 'a' }), { stateFile: stateFile() })
        expect(world.log.lines.join(), text).to.include('could not be understood and is now')
        expect(readFileSync(`${stateFile()}.corrupt`, 'utf8')).to.equal(text)
        await world.close()
        expect(saved()).to.deep.equal({ version: 1, services: {} })
      }
      expect(readdirSync(folder)).to.have.members(['state.json', 'state.json.corrupt'])
    })

    it('that cannot be written refuses to start, and says which', async () => {
      world = await DirectoryWorld.bare()
      for (const path of [join(folder, 'not-there', 'state.json'), folder, '/proc/state.json']) {
        const error = await expectCode(world.open(servicesOf({ name: 'a' }), { stateFile: path }), 'SYSTEM')
        expect(error.message).to.include(`the state file ${path} cannot be kept`)
      }
      expect(await reservedNames(world.store)).to.deep.equal([])
    })

    it('goes on when the file can no longer be written, and writes it when it can', async () => {
      await start(servicesOf({ name: 'a', ...AT_ONCE }), { stateFile: stateFile() })
      rmSync(folder, { recursive: true })
      const instance = await run('a')
      await eventually(() => world.log.lines.join().includes('could not be written'))
      folder = mkdtempSync(join(tmpdir(), 'conduit-state-'))
      instance.end('gone')
      await eventually(() => world.service('a').state === 'stopped')
    })
  })

  it('holds a thousand services that do not run in little memory, with no timer and no watch', async () => {
    const services = servicesOf(
      ...Array.from({ length: 1000 }, (_, index) => ({
        name: `s${index}`,
        dns: [`s${index}.example.org`],
        idleSeconds: 60,
      })),
    )
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    await start(services, { launchers: () => new ScriptedLauncher() })
    globalThis.gc?.()
    const bytes = process.memoryUsage().heapUsed - before
    expect([world.directory.size, world.clock.waiting]).to.deep.equal([1000, 0])
    // Nodes of the embedded store in this process are in it as well.
    expect(bytes / 1000, 'bytes a service').to.be.lessThan(20_000)
  })
})
