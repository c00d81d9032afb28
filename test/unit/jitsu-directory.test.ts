import { expect } from 'chai'
import { ConduitError } from '../../src/errors.js'
import type { SummonedBy } from '../../src/jitsu/summon.js'
import { DirectoryWorld, servicesOf } from '../support/directory-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import type { ScriptedInstance } from '../support/scripted-launcher.js'

/** Ready as soon as it is launched. */
const AT_ONCE = { ready: { when: 'delay', delaySeconds: 0, timeoutSeconds: 10 } }
const BY_KEY = { ready: { when: 'key', timeoutSeconds: 10 } }

describe('a service of the directory', () => {
  let world: DirectoryWorld
  afterEach(() => world.close())

  const start = async (service: object, more: object[] = []): Promise<void> => {
    world = await DirectoryWorld.start(servicesOf({ name: 'www', ...service }, ...more))
  }
  const state = (): string => world.service().state
  const become = (wanted: string) => eventually(() => state() === wanted)
  const summon = (by: SummonedBy = 'dns'): Promise<void> => world.service().summon(by)
  /** Let what is due now happen. */
  const due = async (): Promise<void> => {
    await turns()
    world.clock.advance(0)
    await turns()
  }

  describe('asked for', () => {
    it('boots once for all who ask meanwhile, and answers them when it is ready', async () => {
      await start(BY_KEY)
      const { guest, instance } = await world.instance()
      expect(state()).to.equal('stopped')
      const summons = Array.from({ length: 1000 }, () => summon())
      await turns()
      expect([state(), world.launcher().launches.length]).to.deep.equal(['starting', 1])
      world.launcher().launches[0]!.succeed(instance)
      await turns()
      expect(state()).to.equal('starting')
      await guest.store.write('data/jitsu/ready', '1')
      await Promise.all(summons)
      expect([state(), world.launcher().launches.length]).to.deep.equal(['ready', 1])
      await summon()
      expect(world.launcher().launches).to.have.length(1)
      expect(world.service().instance?.domid).to.equal(guest.domid)
      expect(world.directory.timelines('www')[0]).to.include({ askers: 1000, outcome: 'ready' })
    })

    it('answers at once, at the launch or at readiness, as each asks', async () => {
      await start({ ...BY_KEY, reply: 'started' })
      const { guest, instance } = await world.instance()
      const order: string[] = []
      const ask = (what: string, options?: object) =>
        world
          .service()
          .summon('dns', options)
          .then(() => order.push(what))
      const all = [ask('ready', { until: 'ready' }), ask('usual'), ask('immediate', { until: 'immediate' })]
      await turns()
      expect(order).to.deep.equal(['immediate'])
      world.launcher().launches[0]!.succeed(instance)
      await turns()
      expect(order).to.deep.equal(['immediate', 'usual'])
      await guest.store.write('data/jitsu/ready', '1')
      await Promise.all(all)
      expect(order).to.deep.equal(['immediate', 'usual', 'ready'])
    })

    it('boots on when nobody waits for it any more', async () => {
      await start(BY_KEY)
      const { guest, instance } = await world.instance()
      const gone = new AbortController()
      const asked = world.service().summon('conduit', { signal: gone.signal })
      await turns()
      gone.abort(new Error('gone'))
      expect(await rejectionOf(asked)).to.have.property('message', 'gone')
      world.launcher().launches[0]!.succeed(instance)
      await guest.store.write('data/jitsu/ready', '1')
      await become('ready')
      expect(instance.stops).to.deep.equal([])
      expect(world.directory.timelines()[0]).to.include({ outcome: 'abandoned', by: 'conduit' })
    })

    it('starts nothing for who has given up before', async () => {
      await start(BY_KEY)
      const error = await rejectionOf(world.service().summon('dns', { signal: AbortSignal.abort(new Error('early')) }))
      expect(error).to.have.property('message', 'early')
      expect([state(), world.launcher().launches.length]).to.deep.equal(['stopped', 0])
    })
  })

  describe('that does not come up', () => {
    it('fails with BOOT_TIMEOUT, says what is missing and is destroyed', async () => {
      await start(BY_KEY)
      const { instance } = await world.instance()
      const asked = summon()
      await turns()
      world.launcher().launches[0]!.succeed(instance)
      await turns()
      world.clock.advance(9_999)
      await turns()
      expect(state()).to.equal('starting')
      world.clock.advance(1)
      const error = await expectCode(asked, 'BOOT_TIMEOUT')
      expect(error.message).to.match(/www is not ready after 10 s: it has not written data\/jitsu\/ready/)
      await become('stopped')
      expect(instance.stops).to.deep.equal(['destroy'])
      expect(world.directory.timelines()[0]).to.deep.include({ outcome: 'failed', error: error.message })
    })

    it('fails with BOOT_FAILED at once when it ends while it boots', async () => {
      await start(BY_KEY)
      const { instance } = await world.instance()
      const asked = summon()
      await turns()
      world.launcher().launches[0]!.succeed(instance)
      await turns()
      instance.end('exit status 3')
      expect((await expectCode(asked, 'BOOT_FAILED')).message).to.match(/ended while it booted: exit status 3/)
    })

    it('fails with what its launcher said', async () => {
      await start(BY_KEY)
      const asked = summon()
      await turns()
      world.launcher().launches[0]!.fail(new ConduitError('LAUNCHER', 'xl create: no memory', { hint: 'buy some' }))
      const error = await expectCode(asked, 'BOOT_FAILED')
      expect([error.message, error.hint]).to.deep.equal(['www could not be booted: xl create: no memory', 'buy some'])
      await become('stopped')
    })

    it('is not tried again for 1 s, then 2, up to 60, and asks meanwhile fail at once', async () => {
      await start(BY_KEY)
      let launches = 0
      for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
        const asked = summon()
        await turns()
        expect(world.launcher().launches.length).to.equal(++launches)
        world.launcher().launches.at(-1)!.fail(new Error('no'))
        await expectCode(asked, 'BOOT_FAILED')
        await become('stopped')
        world.clock.advance(seconds * 1000 - 1)
        const error = await expectCode(world.service().summon('dns', { until: 'immediate' }), 'BOOT_FAILED')
        expect(error.message).to.match(/is not tried again for 1 s: www could not be booted: no$/)
        expect(world.launcher().launches.length).to.equal(launches)
        world.clock.advance(1)
      }
      const { guest, instance } = await world.instance()
      const asked = summon()
      await turns()
      world.launcher().launches.at(-1)!.succeed(instance)
      await guest.store.write('data/jitsu/ready', '1')
      await asked
      // The next failure is the first again.
      instance.end('exit status 1')
      await become('stopped')
      const again = summon()
      await turns()
      world.launcher().launches.at(-1)!.fail(new Error('no'))
      await expectCode(again, 'BOOT_FAILED')
      await become('stopped')
      world.clock.advance(1000)
      const last = summon()
      await turns()
      world.launcher().launches.at(-1)!.fail(new Error('no'))
      await expectCode(last, 'BOOT_FAILED')
    })

    it('is given up when its launcher hangs, and what comes late is destroyed', async () => {
      await start(BY_KEY)
      const asked = summon()
      await turns()
      world.clock.advance(10_000)
      expect((await expectCode(asked, 'BOOT_TIMEOUT')).message).to.match(/the launcher has not come back/)
      expect(state()).to.equal('stopping')
      expect(world.launcher().launches[0]!.context.signal.aborted).to.equal(true)
      await turns()
      world.clock.advance(10_000)
      await become('stopped')
      const { instance } = await world.instance()
      world.launcher().launches[0]!.succeed(instance)
      await eventually(() => instance.stops.length === 1)
      expect([state(), instance.stops]).to.deep.equal(['stopped', ['destroy']])
    })

    it('keeps the next boot waiting until it is stopped', async () => {
      await start(BY_KEY)
      const { instance } = await world.instance()
      let stopped!: () => void
      instance.onStop = () => new Promise((resolve) => (stopped = resolve))
      const asked = summon()
      await turns()
      world.launcher().launches[0]!.succeed(instance)
      await turns()
      world.clock.advance(10_000)
      await expectCode(asked, 'BOOT_TIMEOUT')
      world.clock.advance(1000)
      const again = world.service().summon('dns', { until: 'started' })
      await turns()
      expect([state(), world.launcher().launches.length]).to.deep.equal(['stopping', 1])
      stopped()
      await become('starting')
      world.launcher().launches[1]!.succeed((await world.instance()).instance)
      await again
    })
  })

  describe('that runs', () => {
    const run = async (service: object): Promise<ScriptedInstance> => {
      await start({ ...AT_ONCE, ...service })
      return runAgain()
    }
    const runAgain = async (): Promise<ScriptedInstance> => {
      const { instance } = await world.instance()
      const launches = world.launcher().launches.length
      const asked = summon()
      await eventually(() => world.launcher().launches.length > launches)
      world.launcher().launches.at(-1)!.succeed(instance)
      await due()
      await asked
      return instance
    }

    it('and ends by itself is stopped, and boots again for the next who asks', async () => {
      const first = await run({})
      first.end('exit status 1')
      await become('stopped')
      const second = await runAgain()
      expect([state(), first.stops, second.stops]).to.deep.equal(['ready', [], []])
    })

    it('is stopped by its mode when nobody has asked for so long', async () => {
      const instance = await run({ idleSeconds: 60, stop: 'shutdown' })
      world.clock.advance(59_999)
      await turns()
      expect(state()).to.equal('ready')
      world.clock.advance(1)
      await become('stopped')
      expect(instance.stops).to.deep.equal(['shutdown'])
      expect((await runAgain()).stops).to.deep.equal([])
    })

    it('is never idle without a limit', async () => {
      await run({})
      world.clock.advance(1e12)
      await turns()
      expect([state(), world.clock.waiting]).to.deep.equal(['ready', 0])
    })

    it('is not idle while it is asked for, or a connection is open, or moves bytes', async () => {
      const instance = await run({ idleSeconds: 60 })
      const service = world.service()
      const use = service.use()
      const busy: (() => unknown)[] = [
        () => service.touch(),
        () => service.summon('dns'),
        () => use.moved(1),
        () => undefined,
        () => use.release(),
      ]
      for (const act of busy) {
        world.clock.advance(59_000)
        await turns()
        expect(state(), String(act)).to.equal('ready')
        act()
      }
      use.release()
      world.clock.advance(59_999)
      await turns()
      expect(state()).to.equal('ready')
      use.moved(0)
      world.clock.advance(1)
      await become('stopped')
      expect(instance.stops).to.deep.equal(['destroy'])
    })

    it('is not idle while somebody is connected to it by conduit', async () => {
      await start({ ...AT_ONCE, idleSeconds: 60 })
      const { guest, instance } = await world.instance()
      const asked = summon()
      await turns()
      world.launcher().launches[0]!.succeed(instance)
      await turns()
      world.clock.advance(0)
      await asked
      await world.world.dom0.write(`/conduit/flows/${guest.domid}`, '')
      await world.world.dom0.setPermissions(`/conduit/flows/${guest.domid}`, [{ access: 'n', domid: guest.domid }])
      const flow = `/conduit/flows/${guest.domid}/0123456789ab`
      await guest.store.write(flow, '(established (client 7) (name www))')
      for (let round = 0; round < 3; round++) {
        world.clock.advance(60_000)
        await turns(50)
        expect(state()).to.equal('ready')
      }
      // One of another name is no reason, and an end is a use.
      world.clock.advance(30_000)
      await guest.store.write(flow, '(established (client 7) (name other))')
      await turns(50)
      world.clock.advance(59_999)
      await turns(50)
      expect(state()).to.equal('ready')
      world.clock.advance(1)
      await become('stopped')
    })

    it('and is asked for while it stops boots again when it is stopped', async () => {
      const instance = await run({ idleSeconds: 60, stop: 'shutdown' })
      let stopped!: () => void
      instance.onStop = () => new Promise((resolve) => (stopped = resolve))
      world.clock.advance(60_000)
      await become('stopping')
      const asked = Promise.all([summon(), summon('conduit')])
      await turns()
      expect(world.launcher().launches).to.have.length(1)
      stopped()
      await eventually(() => world.launcher().launches.length === 2)
      world.launcher().launches[1]!.succeed((await world.instance()).instance)
      await due()
      await asked
      expect([state(), world.launcher().launches.length]).to.deep.equal(['ready', 2])
    })

    it('is destroyed when its own mode fails or takes too long', async () => {
      for (const failure of ['fails', 'hangs']) {
        const instance = await run({ idleSeconds: 60, stop: 'shutdown', stopSeconds: 5 })
        instance.onStop = async (mode) => {
          if (mode === 'destroy') return instance.end('destroyed')
          if (failure === 'fails') throw new ConduitError('LAUNCHER', 'it will not')
          await new Promise(() => undefined)
        }
        world.clock.advance(60_000)
        await eventually(() => instance.stops.length > 0)
        await turns()
        world.clock.advance(5000)
        await become('stopped')
        expect(instance.stops, failure).to.deep.equal(['shutdown', 'destroy'])
        if (failure === 'fails') await world.close()
      }
    })

    it('that cannot even be destroyed is tried again, and not started beside itself', async () => {
      const instance = await run({ idleSeconds: 60 })
      instance.onStop = async () => {
        throw new ConduitError('LAUNCHER', 'xl destroy: no such device')
      }
      world.clock.advance(60_000)
      await become('stopping')
      const queued = await expectCode(summon(), 'BOOT_FAILED')
      expect(queued.message).to.match(/its last instance cannot be stopped: xl destroy: no such device/)
      await turns()
      for (const seconds of [1, 2, 4]) {
        world.clock.advance(seconds * 1000)
        await turns()
      }
      expect([state(), instance.stops.length]).to.deep.equal(['stopping', 4])
      await expectCode(summon(), 'BOOT_FAILED')
      instance.end('at last')
      await become('stopped')
      expect((await runAgain()).stops).to.deep.equal([])
    })

    it('leaves no timer and no watch behind', async () => {
      const instance = await run({ idleSeconds: 60 })
      instance.end('gone')
      await become('stopped')
      expect(world.clock.waiting).to.equal(0)
    })
  })

  it('is told from others by name and by DNS name', async () => {
    await start({ dns: ['www.example.org', 'example.org'] }, [{ name: 'db' }])
    const { directory } = world
    expect(directory.size).to.equal(2)
    expect([...directory].map(({ name }) => name)).to.deep.equal(['www', 'db'])
    expect(directory.byDns('example.org')).to.equal(directory.byName('www'))
    expect([directory.byDns('db'), directory.byName('example.org')]).to.deep.equal([undefined, undefined])
  })

  it('has a timeline for each summon, numbered, with the steps that were seen', async () => {
    await start(BY_KEY)
    const { guest, instance } = await world.instance()
    const asked = summon('hold')
    await turns()
    world.clock.advance(3)
    world.launcher().launches[0]!.context.step('built')
    world.clock.advance(4)
    world.launcher().launches[0]!.succeed(instance)
    await turns()
    world.clock.advance(5)
    await guest.store.write('data/jitsu/ready', '1')
    await asked
    world.clock.advance(6)
    world.service().sawFirstByte()
    world.clock.advance(7)
    world.service().sawFirstByte()
    expect(world.directory.timelines()).to.deep.equal([
      {
        service: 'www',
        number: 1,
        by: 'hold',
        startedAtMs: 1_000_000,
        steps: { query: 0, launch: 0, built: 3, alive: 12, ready: 12, answered: 12, firstByte: 18 },
        askers: 1,
        outcome: 'ready',
      },
    ])
  })
})
