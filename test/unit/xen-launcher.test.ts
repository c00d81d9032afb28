// What the launcher xen asks of the domain builder, in which order, and what it makes of the answers, with a builder that builds
// nothing. Real domains: test/xen/inside/xen-launcher.test.ts.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { XenLauncherConfig } from '../../protocol/jitsud-config.js'
import { domid } from '../../protocol/xen.js'
import type { LaunchContext, Launched } from '../../src/jitsu/launcher.js'
import { startProblem } from '../../src/jitsu/launchers/builder-program.js'
import { checkBuilder } from '../../src/jitsu/launchers/check-builder.js'
import { DomainBuilder } from '../../src/jitsu/launchers/domain-builder.js'
import { Launchers } from '../../src/jitsu/launchers/launchers.js'
import { XenLauncher } from '../../src/jitsu/launchers/xen-launcher.js'
import { servicesOf } from '../support/directory-world.js'
import { setVariables } from '../support/environment-variables.js'
import { eventually } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import { BUILT_UUID, ScriptedBuilder } from '../support/scripted-builder.js'
import { StoreWorld } from '../support/store-world.js'

const TOKEN = { domid: 7, uuid: BUILT_UUID }
const IDENTITY = JSON.stringify(TOKEN)

const config = (more: object): XenLauncherConfig => {
  const [service] = servicesOf({ name: 'www', launcher: { kind: 'xen', kernel: '/boot/www.elf', ...more } })
  return service!.launcher as XenLauncherConfig
}

describe('the launcher xen', () => {
  let world: StoreWorld
  let script: ScriptedBuilder
  let builder: DomainBuilder
  let launcher: XenLauncher
  const steps: string[] = []
  const lines: string[] = []

  const launcherWith = (more: object): XenLauncher =>
    new XenLauncher(config(more), {
      builder,
      store: world.dom0,
      environment: script.environment,
      clock: new ManualClock(),
      onClose: async () => undefined,
    })

  beforeEach(async () => {
    world = await StoreWorld.start()
    script = new ScriptedBuilder()
    const { program, environment } = script
    builder = new DomainBuilder({ program, environment, log: (line) => void lines.push(line) })
    launcher = launcherWith({ memory: '4MiB' })
    script.domains({ ...TOKEN, cpuNanos: 1, memoryKiB: 4096 })
    steps.length = 0
    lines.length = 0
  })
  afterEach(async () => {
    await launcher.close()
    await builder.close()
    await world.close()
    script.remove()
  })

  const context = (more: Partial<LaunchContext> = {}): LaunchContext => ({
    service: 'www',
    signal: new AbortController().signal,
    created: async ({ domid: id }) => void steps.push(`created ${id}`),
    step: (step) => void steps.push(step),
    log: (line) => void lines.push(line),
    ...more,
  })
  const release = (): void => {
    world.store.introduceDomain(domid(9))
    world.store.domainDied(domid(9))
  }
  const asked = (kind: string): string[] => script.calls().filter((call) => call.startsWith(kind))

  it('builds a domain as the configuration says, keeps its name meanwhile, and lets it run', async () => {
    launcher = launcherWith({ memory: '8MiB', vcpus: 2, type: 'pvh', cmdline: 'name=www domid={domid}', ramdisk: '/r' })
    const launched = await launcher.launch(context())
    expect([launched.domid, launched.pid, launched.token]).to.deep.equal([7, undefined, TOKEN])
    const build = JSON.parse(asked('build')[0]!.slice('build '.length)) as object
    expect(build).to.deep.equal({
      kernel: '/boot/www.elf',
      ramdisk: '/r',
      name: 'www',
      type: 'pvh',
      memoryKiB: 8192,
      vcpus: 2,
      cmdline: 'name=www domid={domid}',
    })
    expect(script.calls().slice(2)).to.deep.equal(
      [`unpause ${IDENTITY}`, `list {}`].slice(0, script.calls().length - 2),
    )
    expect(steps).to.deep.equal(['created 7', 'built', 'unpaused'])
  })

  it('asks for the keys of a provisioned channel, and tells the guest its port', async () => {
    launcher = launcherWith({ cmdline: 'name=www', provisioned: { port: 'http' } })
    await launcher.launch(context())
    expect(JSON.parse(asked('build')[0]!.slice('build '.length))).to.deep.include({
      cmdline: 'name=www port=http',
      provisioned: { peer: 0, path: 'data/vchan/0/http', gref: 8 },
    })
  })

  it('asks that it may run while it is still being built, once its name is kept', async () => {
    script.on('build', 'hold')
    await launcher.launch(context())
    expect(asked('unpause')).to.deep.equal([`unpause ${IDENTITY}`])
    expect(steps).to.deep.equal(['created 7', 'built', 'unpaused'])
  })

  it('lets nothing run whose name is not kept', async () => {
    let keep!: () => void
    const kept = new Promise<void>((resolve) => {
      keep = resolve
    })
    const launching = launcher.launch(context({ created: () => kept }))
    await eventually(() => asked('build').length === 1)
    // It answers in order: what was asked by then is there.
    await builder.rename({ domid: domid(7), uuid: BUILT_UUID }, 'other')
    expect(asked('unpause')).to.deep.equal([])
    keep()
    await launching
    expect(asked('unpause')).to.have.length(1)
  })

  it('destroys what was built when its name cannot be kept', async () => {
    await rejectionOf(launcher.launch(context({ created: () => Promise.reject(new Error('refused')) })))
    expect(asked('destroy')).to.deep.equal([`destroy ${IDENTITY}`])
  })

  it('destroys what was built when it cannot be let run', async () => {
    script.on('unpause', { step: 'unpause', code: 'XEN', errno: 'EINVAL', message: 'no' })
    await expectCode(launcher.launch(context()), 'LAUNCHER')
    expect(asked('destroy')).to.deep.equal([`destroy ${IDENTITY}`])
  })

  it('destroys what was built when the boot is given up meanwhile', async () => {
    const giveUp = new AbortController()
    const created = async () => giveUp.abort(new Error('given up'))
    const error = await rejectionOf(launcher.launch(context({ signal: giveUp.signal, created })))
    expect((error as Error).message).to.equal('given up')
    expect([asked('unpause'), asked('destroy')]).to.deep.equal([[], [`destroy ${IDENTITY}`]])
  })

  it('says which step failed, why, and what to do', async () => {
    script.on('build', { step: 'memory', code: 'NO_MEMORY', errno: 'ENOMEM', message: 'no page left' })
    const error = await expectCode(launcher.launch(context()), 'LAUNCHER')
    expect(error.message).to.equal('domain www cannot be built (memory): no page left')
    expect([error.syscall, error.errno]).to.deep.equal(['memory', 'ENOMEM'])
    expect(error.hint).to.include('free_memory')
  })

  it('fails the build in which the builder dies, and begins another builder for the next', async () => {
    script.on('build', 'die')
    const error = await expectCode(launcher.launch(context()), 'LAUNCHER')
    expect(error.message).to.equal('domain www cannot be built: the domain builder has ended: exit status 3')
    script.on('build', undefined)
    await launcher.launch(context())
    expect(asked('begun')).to.have.length(2)
  })

  it('ends a builder that says something else, and what it was asked with it', async () => {
    script.on('build', 'babble')
    const error = await expectCode(launcher.launch(context()), 'LAUNCHER')
    expect(error.message).to.include('has ended: SIGKILL')
    expect(lines).to.include('not understood: no JSON')
  })

  it('destroys once more with the next builder when one dies of it', async () => {
    const launched = await launcher.launch(context())
    script.on('destroy', 'die')
    const stopping = launched.stop('destroy')
    await eventually(() => asked('destroy').length === 1)
    script.on('destroy', undefined)
    script.domains()
    await eventually(() => asked('destroy').length === 2)
    release()
    await stopping
  })

  it('sees the end of a domain by whoever ended it', async () => {
    const launched = await launcher.launch(context())
    release()
    script.domains()
    release()
    expect(await launched.ended).to.equal('domain 7 is gone')
  })

  it('takes a domain for gone whose number was given again, and one that is dying', async () => {
    for (const other of [{ uuid: BUILT_UUID.replace('1', '2') }, { dying: true }]) {
      script.domains({ ...TOKEN, cpuNanos: 1, memoryKiB: 4096 })
      const launched = await launcher.launch(context())
      script.domains({ ...TOKEN, cpuNanos: 1, memoryKiB: 4096, ...other })
      release()
      expect(await launched.ended).to.equal('domain 7 is gone')
      expect(await launcher.adopt(TOKEN, context())).to.equal(undefined)
    }
  })

  for (const [shutdown, how] of [
    ['poweroff', 'has shut down'],
    ['crash', 'has crashed'],
    ['soft-reset', 'has ended (soft-reset)'],
  ] as const) {
    it(`destroys a domain that has ended itself by ${shutdown}`, async () => {
      const launched = await launcher.launch(context())
      script.domains({ ...TOKEN, cpuNanos: 1, memoryKiB: 4096, shutdown })
      release()
      expect(await launched.ended).to.equal(`domain 7 ${how}`)
      expect(asked('destroy')).to.deep.equal([`destroy ${IDENTITY}`])
    })
  }

  it('leaves a domain that is being saved', async () => {
    const launched = await launcher.launch(context())
    script.domains({ ...TOKEN, cpuNanos: 1, memoryKiB: 4096, shutdown: 'suspend' })
    release()
    const looks = asked('list').length
    await eventually(() => asked('list').length > looks)
    expect(asked('destroy')).to.deep.equal([])
    script.domains()
    release()
    await launched.ended
  })

  it('asks once for all domains, however many wait for an end', async () => {
    const launched: Launched[] = []
    for (let i = 0; i < 20; i++) launched.push(await launcher.launch(context()))
    script.domains()
    const looks = asked('list').length
    release()
    await Promise.all(launched.map(({ ended }) => ended))
    expect(asked('list').length - looks).to.be.lessThan(10)
  })

  it('asks a domain to shut down by the node that guests watch', async () => {
    const launched = await launcher.launch(context())
    const stopped = launched.stop('shutdown')
    const path = '/local/domain/7/control/shutdown'
    await eventually(() => world.dom0.exists(path))
    expect(await world.dom0.readText(path)).to.equal('poweroff')
    script.domains()
    release()
    await stopped
    expect(asked('destroy')).to.deep.equal([])
  })

  it('adopts what runs, and cleans up what has ended while nobody looked', async () => {
    const adopted = await launcher.adopt(TOKEN, context())
    expect(adopted?.domid).to.equal(7)
    script.domains({ ...TOKEN, cpuNanos: 1, memoryKiB: 4096, shutdown: 'crash' })
    expect(await launcherWith({}).adopt(TOKEN, context())).to.equal(undefined)
    expect(asked('destroy').length).to.be.above(0)
    for (const stranger of [undefined, null, 7, {}, { domid: 0, uuid: BUILT_UUID }, { domid: 7, uuid: '../../x' }]) {
      expect(await launcher.adopt(stranger, context())).to.equal(undefined)
    }
  })

  it('prepares under a name of its own, and renames before it lets run', async () => {
    const prepared = await launcher.prepare(context())
    expect(asked('build')[0]).to.match(/"name":"www\.warm-[0-9a-f]{8}"/)
    expect([prepared.memoryBytes, launcher.preparedBytes]).to.deep.equal([4 << 20, 4 << 20])
    expect([asked('unpause'), steps]).to.deep.equal([[], []])
    const launched = await prepared.launch(context())
    expect(launched.token).to.deep.equal(TOKEN)
    expect(asked('rename')).to.deep.equal([`rename ${JSON.stringify({ ...TOKEN, name: 'www' })}`])
    expect(script.calls().findIndex((call) => call.startsWith('rename'))).to.be.lessThan(
      script.calls().findIndex((call) => call.startsWith('unpause')),
    )
    expect(steps).to.deep.equal(['created 7', 'unpaused'])
    await prepared.discard()
    expect(asked('destroy')).to.deep.equal([])
    expect(await rejectionOf(prepared.launch(context()))).to.be.instanceOf(TypeError)
  })

  it('destroys a prepared domain whose name is taken when it is launched', async () => {
    const prepared = await launcher.prepare(context())
    script.on('rename', {
      step: 'name',
      code: 'NAME_TAKEN',
      errno: 'EEXIST',
      message: 'domain 3 has the name www already',
    })
    expect((await expectCode(prepared.launch(context()), 'LAUNCHER')).hint).to.include('xl destroy')
    expect([asked('unpause'), asked('destroy')]).to.deep.equal([[], [`destroy ${IDENTITY}`]])
  })
})

describe('a domain builder that does not work here', () => {
  let world: StoreWorld
  let script: ScriptedBuilder
  let launchers: Launchers
  const [service, second] = servicesOf(
    { name: 'www', launcher: { kind: 'xen', kernel: '/boot/www.elf' } },
    { name: 'mail', launcher: { kind: 'xen', kernel: '/boot/mail.elf' } },
  )

  beforeEach(async () => {
    world = await StoreWorld.start()
    script = new ScriptedBuilder()
    const { environment } = script
    launchers = await Launchers.open({ directory: join(script.folder, 'files'), environment, xenStore: world.dom0 })
    restore = () => undefined
  })
  afterEach(async () => {
    restore()
    await world.close()
    script.remove()
  })

  let restore: () => void
  const use = (program: string): void => {
    restore = setVariables({ CONDUIT_DOMAIN_BUILDER: program })
  }
  const refusal = (program: string) => {
    use(program)
    return expectCode(launchers.launcherOf(service!), 'CONFIG')
  }

  it('is refused by the configuration, with what to do: it was not built', async () => {
    const missing = join(script.folder, 'missing')
    const error = await refusal(missing)
    expect(error.message).to.match(
      /^service www: the launcher xen cannot be used: not built for this Xen: there is no /,
    )
    expect(error.hint).to.include('npx conduit-build').and.include('"kind": "xl"')
  })

  it('says for which Xen it was built, and which is here', async () => {
    mkdirSync(join(script.folder, 'lib/x86_64-linux-gnu'), { recursive: true })
    writeFileSync(join(script.folder, 'lib/x86_64-linux-gnu/libxenguest.so.4.19'), '')
    const said = `${script.program}: error while loading shared libraries: libxenguest.so.4.17: cannot open shared object file: No such file or directory`
    expect(startProblem(script.program, said, [join(script.folder, 'lib')]).text).to.equal(
      'not built for this Xen: it was built for Xen 4.17 (libxenguest.so.4.17), and here is that of Xen 4.19',
    )
    expect(startProblem(script.program, said, []).text).to.include('and here is no libxenguest')
  })

  it('says that the Xen that runs is another than its libraries are for', async () => {
    script.unusable('OTHER_VERSION', 'Xen 4.19 runs here and refuses libxenctrl 4.17: Permission denied')
    const error = await refusal(script.program)
    expect(error.message).to.include('not built for this Xen: Xen 4.19 runs here and refuses libxenctrl 4.17')
    expect(await checkBuilder(script.program, script.environment))
      .to.have.property('text')
      .that.includes('Xen 4.19 runs')
  })

  it('is refused outside dom0 before it is begun', async () => {
    const elsewhere = await Launchers.open({ directory: join(script.folder, 'files') })
    const error = await expectCode(elsewhere.launcherOf(service!), 'CONFIG')
    expect(error.message).to.equal('service www: the launcher xen needs Xen, and this is not its dom0')
    expect(existsSync(join(script.folder, 'calls'))).to.equal(false)
  })

  it('serves all services of a jitsud as one process, until the last has let go of it', async () => {
    use(script.program)
    const [one, two] = await Promise.all([launchers.launcherOf(service!), launchers.launcherOf(second!)])
    await one.close()
    await one.close()
    expect(script.calls()).to.deep.equal(['begun'])
    await two.close()
    expect(script.calls()).to.deep.equal(['begun', 'ended'])
  })
})
