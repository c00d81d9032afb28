// Instances that are built beforehand: how many there are, who gets them, and what becomes of them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { reservationPath } from '../../protocol/conduit.js'
import { type Domid, domid } from '../../protocol/xen.js'
import { ConduitError } from '../../src/errors.js'
import { LAUNCH_GRACE_MS } from '../../src/jitsu/boot-attempt.js'
import type { DirectoryOptions } from '../../src/jitsu/directory.js'
import { QUIET_MS } from '../../src/jitsu/pool/warm-pools.js'
import { DirectoryWorld, servicesOf } from '../support/directory-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ScriptedInstance, ScriptedLauncher, ScriptedPrepared } from '../support/scripted-launcher.js'

const AT_ONCE = { ready: { when: 'delay', delaySeconds: 0, timeoutSeconds: 10 } }
const MIB = 2 ** 20

describe('a warm pool', () => {
  let world: DirectoryWorld
  let folder: string
  /** Everything that was ever prepared, by service. */
  let made: Map<string, ScriptedPrepared[]>
  let nextDomid: number

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-pool-'))
    made = new Map()
    nextDomid = 100
    world = await DirectoryWorld.bare()
  })
  afterEach(async () => {
    // A launcher that does not come back is waited for, by a clock that stands still.
    for (const { prepares } of world.launchers.values()) for (const { fail } of prepares) fail(new Error('the end'))
    await world.close()
    rmSync(folder, { recursive: true })
  })

  const preparedOf = (name = 'www'): ScriptedPrepared[] => made.get(name) ?? []
  const one = (memoryBytes?: number): ScriptedPrepared => {
    const id = domid(nextDomid++)
    return new ScriptedPrepared({ domid: id, token: { id }, ...(memoryBytes !== undefined && { memoryBytes }) })
  }
  /** A launcher that prepares at once. */
  const able = (name = 'www', memoryBytes?: number): ScriptedLauncher => {
    const launcher = world.launcher(name)
    launcher.canKeepWarm = true
    launcher.onPrepare = () => {
      const prepared = one(memoryBytes)
      made.set(name, [...preparedOf(name), prepared])
      return prepared
    }
    return launcher
  }
  const www = (more: object = {}) => servicesOf({ name: 'www', keepWarm: 2, ...AT_ONCE, ...more })
  const open = (services = www(), options: Partial<DirectoryOptions> = {}) => world.open(services, options)
  const pool = (name = 'www') => world.service(name).pool
  const size = (name = 'www') => pool(name)?.ready ?? 0
  const has = (count: number, name = 'www') => eventually(() => size(name) === count)
  const summon = async (name = 'www'): Promise<void> => {
    const summoned = world.service(name).summon('dns')
    await eventually(() => {
      world.clock.advance(0)
      return world.service(name).state === 'ready'
    })
    await summoned
  }
  /** Time goes by until what is to be built then is built. */
  const later = async (byMs: number): Promise<void> => {
    await turns()
    world.clock.advance(byMs)
    await turns()
  }
  const steps = (name = 'www') => Object.keys(world.directory.timelines(name).at(-1)?.steps ?? {})
  const stateFile = () => join(folder, 'state.json')
  const saved = () => JSON.parse(readFileSync(stateFile(), 'utf8')).services

  describe('is filled', () => {
    it('from the start, one at a time, while the names stay free', async () => {
      const launcher = world.launcher()
      launcher.canKeepWarm = true
      await open()
      await turns()
      expect([launcher.prepares.length, size()]).to.deep.equal([1, 0])
      launcher.prepares[0]!.succeed(one())
      await has(1)
      expect(launcher.prepares).to.have.length(2)
      launcher.prepares[1]!.succeed(one())
      await has(2)
      await turns()
      expect([launcher.prepares.length, launcher.launches.length]).to.deep.equal([2, 0])
      expect(await world.store.readText(reservationPath('www'))).to.equal('nobody')
    })

    it('evenly: who has the fewest comes first', async () => {
      const order: string[] = []
      for (const name of ['a', 'b', 'c']) {
        const launcher = able(name)
        const give = launcher.onPrepare
        launcher.onPrepare = (context) => {
          order.push(context.service)
          return give(context)
        }
      }
      const services = ['a', 'b', 'c'].map((name) => ({ name, keepWarm: name === 'c' ? 1 : 2, ...AT_ONCE }))
      await open(servicesOf(...services))
      await has(2, 'b')
      expect(order).to.deep.equal(['a', 'b', 'c', 'a', 'b'])
    })

    it('after a failure with a pause that doubles up to a minute, and is told of in the status', async () => {
      const launcher = world.launcher()
      launcher.canKeepWarm = true
      await open(www({ keepWarm: 1 }))
      const pauses: number[] = []
      for (let failures = 0; failures < 8; failures++) {
        await eventually(() => launcher.prepares.length === failures + 1)
        launcher.prepares.at(-1)!.fail(new ConduitError('LAUNCHER', 'no memory'))
        await eventually(
          () => world.clock.waiting > 0 && pool()?.problem !== null && pool()?.counters.failed === failures + 1,
        )
        pauses.push(world.clock.nextInMs)
        expect(pool()?.problem).to.equal('no memory')
        world.clock.advance(world.clock.nextInMs - 1)
        await turns()
        expect(launcher.prepares).to.have.length(failures + 1)
        world.clock.advance(1)
      }
      expect(pauses).to.deep.equal([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1000))
      expect(
        world.log.lines.filter((line) => /warn www: an instance .* cannot be built: no memory/.test(line)),
      ).to.have.length(8)
      await eventually(() => launcher.prepares.length === 9)
      launcher.prepares.at(-1)!.succeed(one())
      await has(1)
    })

    it('by launchers that throw where they should reject', async () => {
      const launcher = able()
      const give = launcher.onPrepare
      let thrown = false
      launcher.prepare = (context) => {
        if (!thrown) {
          thrown = true
          throw new TypeError('out of order')
        }
        return Promise.resolve(give(context)!)
      }
      await open(www({ keepWarm: 1 }))
      await eventually(() => pool()?.problem === 'out of order')
      await later(1000)
      await has(1)
    })

    it('once more when a build takes longer than a boot may, and takes away what comes then', async () => {
      const launcher = world.launcher()
      launcher.canKeepWarm = true
      able('b')
      await open(servicesOf({ name: 'www', keepWarm: 1, ...AT_ONCE }, { name: 'b', keepWarm: 1, ...AT_ONCE }))
      await turns()
      expect(size('b')).to.equal(0)
      await later(10_000)
      expect(launcher.prepares[0]!.context.signal.aborted).to.equal(true)
      // It stands in nobody's way.
      await has(1, 'b')
      expect(pool()?.problem).to.equal('it is not built after 10 s')
      const late = one()
      launcher.prepares[0]!.succeed(late)
      await eventually(() => late.discards === 1)
      await later(1000)
      expect([launcher.prepares.length, size()]).to.deep.equal([2, 0])
    })
  })

  describe('of a service that is summoned', () => {
    it('gives the oldest, under its name, and says so in the timeline', async () => {
      const launcher = able()
      await open()
      await has(2)
      let kept: string | undefined
      preparedOf()[0]!.onLaunch = async () => {
        kept = await world.store.readText(reservationPath('www'))
      }
      await summon()
      expect(preparedOf().map(({ launches }) => launches)).to.deep.equal([1, 0])
      expect([kept, world.service().instance?.domid, launcher.launches.length]).to.deep.equal(['domain 100', 100, 0])
      expect(steps()).to.deep.equal(['query', 'launch', 'taken', 'unpaused', 'ready', 'answered'])
      expect(pool()).to.deep.include({ wanted: 2, ready: 1 })
      expect(pool()?.counters).to.deep.equal({ prepared: 2, taken: 1, empty: 0, failed: 0, died: 0 })
    })

    it('is filled again when the summon is over and what is ready had a moment, never during it', async () => {
      const launcher = able()
      await open(www({ ready: { when: 'key', timeoutSeconds: 10 } }))
      await has(2)
      const guest = await world.world.guest(100)
      const summoned = world.service().summon('dns')
      await eventually(() => preparedOf()[0]!.launches === 1)
      await turns()
      expect([launcher.prepares.length, size()]).to.deep.equal([2, 1])
      await guest.store.write('data/jitsu/ready', '1')
      await summoned
      await later(QUIET_MS - 1)
      expect(launcher.prepares).to.have.length(2)
      await later(1)
      await has(2)
    })

    it('waits with the refill for summons of other services as well', async () => {
      able()
      const other = world.launcher('other')
      await open(servicesOf({ name: 'www', keepWarm: 1, ...AT_ONCE }, { name: 'other', ...AT_ONCE }))
      await has(1)
      const going = expectCode(world.service('other').summon('dns'), 'BOOT_TIMEOUT')
      await eventually(() => other.launches.length === 1)
      await summon()
      await later(60_000)
      expect(size()).to.equal(0)
      // It took longer than it may.
      await going
      await later(LAUNCH_GRACE_MS)
      await later(QUIET_MS)
      await has(1)
    })

    it('launches as ever when it is empty, also while the first is being built', async () => {
      const launcher = world.launcher()
      launcher.canKeepWarm = true
      await open()
      await turns()
      launcher.onLaunch = () => new ScriptedInstance({ domid: domid(7) })
      await summon()
      expect(world.service().instance?.domid).to.equal(7)
      expect(steps()).to.not.include('taken')
      expect(pool()?.counters).to.include({ empty: 1, taken: 0 })
      launcher.prepares[0]!.succeed(one())
      await has(1)
    })

    it('takes the next when one cannot be launched, then launches as ever, in the same boot', async () => {
      const launcher = able()
      await open()
      await has(2)
      const reserved: string[] = []
      for (const prepared of preparedOf())
        prepared.onLaunch = async () => {
          reserved.push((await world.store.readText(reservationPath('www')))!)
          throw new ConduitError('LAUNCHER', 'it is gone')
        }
      launcher.onLaunch = () => new ScriptedInstance({ domid: domid(7) })
      await summon()
      expect(reserved).to.deep.equal(['domain 100', 'domain 101'])
      expect(await world.store.readText(reservationPath('www'))).to.equal('domain 7')
      expect(world.service().instance?.domid).to.equal(7)
      expect(pool()?.counters).to.include({ taken: 2, failed: 2, empty: 1 })
      expect(world.directory.timelines()[0]?.outcome).to.equal('ready')
    })

    it('has ten summons of ten services take one each, at once', async () => {
      const names = Array.from({ length: 10 }, (_, i) => `s${i}`)
      for (const name of names) able(name)
      await open(servicesOf(...names.map((name) => ({ name, keepWarm: 1, ...AT_ONCE }))))
      for (const name of names) await has(1, name)
      await Promise.all(names.map((name) => summon(name)))
      expect(names.map((name) => preparedOf(name).map(({ launches }) => launches))).to.deep.equal(names.map(() => [1]))
      await later(QUIET_MS)
      for (const name of names) await has(1, name)
    })

    it('gives up one whose boot is given up, and no other is tried', async () => {
      const launcher = able()
      await open(www({ ready: { when: 'delay', delaySeconds: 1, timeoutSeconds: 5 } }))
      await has(2)
      preparedOf()[0]!.onLaunch = ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      const summoned = expectCode(world.service().summon('dns'), 'BOOT_TIMEOUT')
      await eventually(() => preparedOf()[0]!.launches === 1)
      await later(5000)
      await summoned
      expect([preparedOf()[1]!.launches, launcher.launches.length]).to.deep.equal([0, 0])
    })

    it('leaves what is suspended to the launcher, also after a restart', async () => {
      const launcher = able()
      const options = { stateFile: stateFile() }
      await open(www({ stop: 'suspend', idleSeconds: 5 }), options)
      await has(2)
      await summon()
      await later(QUIET_MS)
      await has(2)
      const first = preparedOf()[0]!.instance
      await later(5000)
      await eventually(() => world.service().state === 'stopped')
      expect(first.stops).to.deep.equal(['suspend'])
      await eventually(() => saved().www?.suspended === true)
      await world.directory.close()
      await open(www({ stop: 'suspend' }), options)
      await has(2)
      launcher.onLaunch = () => new ScriptedInstance({ domid: domid(7) })
      await summon()
      expect([world.service().instance?.domid, launcher.launches.length, steps().includes('taken')]).to.deep.equal([
        7,
        1,
        false,
      ])
      await eventually(() => saved().www?.suspended === undefined)
    })
  })

  describe('whose instance dies', () => {
    it('replaces it after a pause, which doubles while they die at once', async () => {
      const launcher = able()
      await open(www({ keepWarm: 1 }))
      await has(1)
      for (const pauseMs of [1000, 2000, 4000]) {
        preparedOf().at(-1)!.end('destroyed by somebody')
        await has(0)
        expect(world.log.lines.at(-1)).to.equal(
          'warn www: an instance that is kept warm has ended: destroyed by somebody',
        )
        await later(pauseMs - 1)
        expect(size()).to.equal(0)
        await later(1)
        await has(1)
      }
      expect(pool()?.counters).to.include({ died: 3, prepared: 4 })
      // Of whatever an end by itself leaves.
      expect(preparedOf().map(({ discards }) => discards)).to.deep.equal([1, 1, 1, 0])
      // One that lived for long says nothing of the next.
      await later(60_000)
      preparedOf().at(-1)!.end('destroyed by somebody')
      await has(0)
      expect(world.clock.nextInMs).to.equal(1000)
      expect(launcher.prepares).to.have.length(4)
    })
  })

  describe('is bounded', () => {
    it('by memory, which all pools share: what does not fit is told once, and in the status', async () => {
      able('a', 100 * MIB)
      able('b', 100 * MIB)
      await open(servicesOf({ name: 'a', keepWarm: 2, ...AT_ONCE }, { name: 'b', keepWarm: 2, ...AT_ONCE }), {
        poolMemoryMib: 256,
      })
      await eventually(() => pool('b')?.problem !== undefined && size('b') === 1 && size('a') === 1)
      const told = () => world.log.lines.filter((line) => /are kept warm/.test(line))
      const why = 'pool.maxMemory, 256 MiB, has no room for more'
      expect(pool('a')).to.deep.include({ wanted: 2, ready: 1, memoryBytes: 100 * MIB, problem: why })
      for (let i = 0; i < 3; i++) {
        preparedOf('a').at(-1)!.end('gone')
        await later(60_000)
        await has(1, 'a')
      }
      expect(told()).to.have.members([
        `warn a: 1 of 2 instances are kept warm: ${why}`,
        `warn b: 1 of 2 instances are kept warm: ${why}`,
      ])
      await world.directory.reload(
        servicesOf({ name: 'a', keepWarm: 2, ...AT_ONCE }, { name: 'b', keepWarm: 2, ...AT_ONCE }),
        400,
      )
      await has(2, 'a')
      await has(2, 'b')
      expect([pool('a')?.problem, pool('b')?.problem]).to.deep.equal([undefined, undefined])
    })

    it('without building what is known to be too large', async () => {
      const launcher = able('www', 300 * MIB)
      launcher.preparedBytes = 300 * MIB
      await open(www(), { poolMemoryMib: 256 })
      await eventually(() => pool()?.problem !== undefined)
      expect(launcher.prepares).to.have.length(0)
    })

    it('by building once what nobody knows the size of', async () => {
      const launcher = able('www', 300 * MIB)
      await open(www(), { poolMemoryMib: 256 })
      await eventually(() => pool()?.problem !== undefined)
      await later(60_000)
      expect([launcher.prepares.length, size(), preparedOf()[0]!.discards]).to.deep.equal([1, 0, 1])
    })

    it('by less memory at once when the configuration says so: those who have the most give', async () => {
      able('a', 50 * MIB)
      able('b', 50 * MIB)
      const services = servicesOf({ name: 'a', keepWarm: 4, ...AT_ONCE }, { name: 'b', keepWarm: 1, ...AT_ONCE })
      await open(services)
      await has(4, 'a')
      await world.directory.reload(services, 120)
      await eventually(() => pool('a')?.memoryBytes === 50 * MIB)
      expect([size('a'), size('b')]).to.deep.equal([1, 1])
      expect(preparedOf('a').map(({ discards }) => discards)).to.deep.equal([0, 1, 1, 1])
    })
  })

  describe('is drained', () => {
    it('at the end of jitsud, with what is being built', async () => {
      const launcher = able()
      await open(www({ keepWarm: 3 }), { stateFile: stateFile() })
      await has(3)
      preparedOf()[1]!.end('gone')
      launcher.onPrepare = () => undefined
      await has(2)
      await later(1000)
      await eventually(() => launcher.prepares.length === 4)
      const closing = world.directory.close()
      await eventually(() => launcher.prepares[3]!.context.signal.aborted)
      const late = one()
      launcher.prepares[3]!.succeed(late)
      await closing
      expect([...preparedOf(), late].map(({ discards }) => discards)).to.deep.equal([1, 1, 1, 1])
      expect([launcher.closed, saved()]).to.deep.equal([1, {}])
    })

    it('at the end although one does not go, and another is never built', async () => {
      const launcher = able()
      await open(www({ keepWarm: 2, stopSeconds: 3 }), { stateFile: stateFile() })
      await has(2)
      preparedOf()[0]!.onDiscard = async () => {
        throw new ConduitError('LAUNCHER', 'the hypervisor does not answer')
      }
      preparedOf()[1]!.end('gone')
      launcher.onPrepare = () => undefined
      await later(1000)
      await eventually(() => launcher.prepares.length === 3)
      const closing = world.directory.close()
      await later(LAUNCH_GRACE_MS)
      await closing
      expect(world.log.lines.filter((line) => /cannot be taken away/.test(line))).to.have.length(1)
      // The next one finds it.
      expect(saved().www).to.deep.equal({ number: 0, prepared: [{ kind: 'scripted', token: { id: 100 } }] })
    })

    it('when the launcher changes, before that is closed, and filled anew', async () => {
      const launchers: ScriptedLauncher[] = []
      await open(www(), {
        launchers: () => {
          const launcher = new ScriptedLauncher()
          world.launchers.set('www', launcher)
          launchers.push(launcher)
          return able()
        },
      })
      await has(2)
      let discarded!: () => void
      preparedOf()[0]!.onDiscard = () => new Promise((resolve) => (discarded = resolve))
      await world.directory.reload(www({ launcher: { kind: 'process', command: ['other'] } }))
      await has(2)
      expect(preparedOf().map(({ discards }) => discards)).to.deep.equal([1, 1, 0, 0])
      expect(launchers.map(({ closed }) => closed)).to.deep.equal([0, 0])
      discarded()
      await eventually(() => launchers[0]!.closed === 1)
      expect(launchers[1]!.closed).to.equal(0)
      await summon()
      expect(preparedOf()[2]!.launches).to.equal(1)
    })

    it('by keepWarm 0 and when its service is removed, and shrinks by fewer', async () => {
      const launcher = able()
      await open(www({ keepWarm: 3 }))
      await has(3)
      await world.directory.reload(www({ keepWarm: 1 }))
      expect([size(), preparedOf().map(({ discards }) => discards)]).to.deep.equal([1, [0, 1, 1]])
      await world.directory.reload(www({ keepWarm: 0 }))
      expect([pool(), preparedOf()[0]!.discards]).to.deep.equal([undefined, 1])
      await world.directory.reload(www({ keepWarm: 1 }))
      await has(1)
      await world.directory.reload([])
      await eventually(() => launcher.closed === 1)
      expect(preparedOf().at(-1)!.discards).to.equal(1)
    })

    it('and has its instances again when a service is back before it was gone', async () => {
      able()
      await open()
      await has(2)
      let discarded!: () => void
      preparedOf()[0]!.onDiscard = () => new Promise((resolve) => (discarded = resolve))
      await world.directory.reload([])
      await world.directory.reload(www())
      await has(2)
      discarded()
      expect(preparedOf().map(({ discards }) => discards)).to.deep.equal([1, 1, 0, 0])
    })
  })

  describe('after a crash of jitsud', () => {
    const leave = (record: object): void =>
      writeFileSync(stateFile(), JSON.stringify({ version: 1, services: { www: { number: 3, ...record } } }))
    const found = (token: unknown): ScriptedInstance => {
      const { id } = token as { id: Domid }
      return new ScriptedInstance({ domid: id, token })
    }

    it('is in the state file, one by one, until the service itself is', async () => {
      able()
      await open(www(), { stateFile: stateFile() })
      const tokens = () => saved().www?.prepared?.map(({ token }: { token: { id: number } }) => token.id) ?? []
      await has(2)
      await eventually(() => tokens().join() === '100,101')
      let launched!: () => void
      preparedOf()[0]!.onLaunch = () => new Promise((resolve) => (launched = resolve))
      const summoned = world.service().summon('dns', { until: 'started' })
      await eventually(() => preparedOf()[0]!.launches === 1)
      world.service().touch()
      await turns()
      expect([saved().www?.running, tokens().sort()]).to.deep.equal([undefined, [100, 101]])
      launched()
      await summoned
      await eventually(() => saved().www?.running?.token.id === 100)
      expect(tokens()).to.deep.equal([101])
    })

    it('destroys what was ready, and only then builds', async () => {
      const launcher = able()
      const destroyed: ScriptedInstance[] = []
      let adopted!: () => void
      launcher.onAdopt = async (token) => {
        await new Promise<void>((resolve) => (adopted = resolve))
        destroyed.push(found(token))
        return destroyed.at(-1)
      }
      leave({ prepared: [{ kind: 'scripted', token: { id: 55 } }] })
      await open(www(), { stateFile: stateFile() })
      await eventually(() => launcher.adopted.length === 1)
      await turns()
      expect([launcher.prepares.length, saved().www?.prepared]).to.deep.equal([
        0,
        [{ kind: 'scripted', token: { id: 55 } }],
      ])
      adopted()
      await has(2)
      expect(destroyed.map(({ domid: id, stops }) => [id, stops])).to.deep.equal([[55, ['destroy']]])
      await eventually(() => saved().www?.prepared.length === 2)
    })

    it('finds what still runs beside it', async () => {
      const launcher = able()
      launcher.onAdopt = async (token) => found(token)
      leave({
        prepared: [{ kind: 'scripted', token: { id: 55 } }],
        running: { kind: 'scripted', token: { id: 54 }, ready: true, requested: true },
      })
      await open(www(), { stateFile: stateFile() })
      await eventually(() => world.service().state === 'ready')
      expect(world.service().instance?.domid).to.equal(54)
      await later(QUIET_MS)
      await has(2)
    })

    it('looks again for what could not be looked for, with pauses, and keeps it in the file', async () => {
      const launcher = able()
      let attempts = 0
      launcher.onAdopt = async () => {
        if (attempts++ < 2) throw new ConduitError('LAUNCHER', 'no answer')
        return undefined
      }
      leave({ prepared: [{ kind: 'scripted', token: { id: 55 } }] })
      await open(www(), { stateFile: stateFile() })
      await eventually(() => attempts === 1)
      await later(1000)
      await eventually(() => attempts === 2)
      expect(saved().www?.prepared).to.deep.equal([{ kind: 'scripted', token: { id: 55 } }])
      await later(2000)
      await has(2)
    })

    it('says what it does not look for', async () => {
      able()
      leave({ prepared: [{ kind: 'xl', token: { id: 55 } }] })
      await open(www(), { stateFile: stateFile() })
      await has(2)
      expect(world.launcher().adopted).to.deep.equal([])
      expect(world.log.lines.join('\n')).to.match(/www had an instance ready .* no longer configured so/)
      await world.directory.close()
      leave({ prepared: [{ kind: 'xl', token: { id: 55 } }] })
      await open([], { stateFile: stateFile() })
      expect(world.log.lines.join('\n')).to.match(/www had instances ready .* is no longer configured:/)
    })
  })

  it('is refused where the launcher cannot', async () => {
    const error = await expectCode(open(), 'CONFIG')
    expect(error.message).to.match(/service www: the launcher scripted cannot do "keepWarm": 2/)
    expect(world.launcher().closed).to.equal(1)
  })
})
