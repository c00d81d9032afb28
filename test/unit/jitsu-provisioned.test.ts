// The channel that an instance has from before it runs: who may take it, and for how long.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { NamedService } from '../../src/jitsu/named-service.js'
import { DirectoryWorld, servicesOf } from '../support/directory-world.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ScriptedInstance } from '../support/scripted-launcher.js'

describe('a provisioned instance of the directory', () => {
  let world: DirectoryWorld
  let folder: string
  const services = servicesOf({ name: 'www', ready: { when: 'key', timeoutSeconds: 10 } })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-provisioned-'))
    world = await DirectoryWorld.start(services, { stateFile: join(folder, 'state.json') })
  })
  afterEach(async () => {
    await world.close()
    rmSync(folder, { recursive: true })
  })

  const provisioned = async () => {
    const guest = await world.guest()
    const instance = new ScriptedInstance({ domid: domid(guest.domid) })
    instance.provisionedPort = 'http'
    return { guest, instance }
  }
  const www = () => new NamedService(world.directory, 'www')
  const launched = () => eventually(() => world.launcher().launches.length > 0)

  it('offers its channel once, from its launch on, to who is told of the launch', async () => {
    const { guest, instance } = await provisioned()
    const taken: (string | undefined)[] = []
    const onStarted = (): void => void taken.push(www().takeChannel())
    const summons = [1, 2].map(() => www().summon('hold', { until: 'ready', onStarted }))
    await launched()
    expect([taken, www().takeChannel()]).to.deep.equal([[], undefined])
    world.launcher().launches[0]!.succeed(instance)
    await eventually(() => taken.length === 2)
    expect(taken).to.deep.equal([`vchan://${guest.domid}/http`, undefined])
    expect(world.service().state).to.equal('starting')
    await guest.store.write('data/jitsu/ready', '1')
    await Promise.all(summons)
    expect(www().takeChannel()).to.equal(undefined)
    // It runs: nobody is told of a launch.
    await www().summon('hold', { onStarted: () => expect.fail('told') })
  })

  it('takes its channel with it when it ends, and the next one has its own', async () => {
    const first = await provisioned()
    const summon = www().summon('dns', { until: 'started' })
    await launched()
    world.launcher().launches[0]!.succeed(first.instance)
    await summon
    await first.guest.store.write('data/jitsu/ready', '1')
    await eventually(() => world.service().state === 'ready')
    first.instance.end('crashed')
    await eventually(() => world.service().state === 'stopped')
    expect(www().takeChannel()).to.equal(undefined)
    const second = await provisioned()
    const again = www().summon('dns', { until: 'started' })
    await eventually(() => world.launcher().launches.length === 2)
    world.launcher().launches[1]!.succeed(second.instance)
    await again
    expect(www().takeChannel()).to.equal(`vchan://${second.guest.domid}/http`)
  })

  it('offers nothing when it was found running: somebody has had it', async () => {
    const { guest, instance } = await provisioned()
    const summon = www().summon('dns')
    await launched()
    world.launcher().launches[0]!.succeed(instance)
    await guest.store.write('data/jitsu/ready', '1')
    await summon
    await world.directory.close()
    world.launcher().onAdopt = async () => instance
    await world.open(services, { stateFile: join(folder, 'state.json') })
    await eventually(() => world.service().state === 'ready')
    expect(www().takeChannel()).to.equal(undefined)
  })

  it('tells nobody of a launch that failed', async () => {
    const summon = expectCode(www().summon('hold', { onStarted: () => expect.fail('told') }), 'BOOT_FAILED')
    await launched()
    world.launcher().launches[0]!.fail(new Error('no memory'))
    await summon
  })
})
