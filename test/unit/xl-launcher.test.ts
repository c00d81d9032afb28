// What the xl launcher asks `xl` to do, with an `xl` that writes its arguments down. Real domains: test/xen/inside/jitsud.test.ts.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { XlLauncherConfig } from '../../protocol/jitsud-config.js'
import { domid } from '../../protocol/xen.js'
import type { LaunchContext, Launched } from '../../src/jitsu/launcher.js'
import { xlConfig } from '../../src/jitsu/launchers/xl-config.js'
import { XlLauncher } from '../../src/jitsu/launchers/xl-launcher.js'
import { servicesOf } from '../support/directory-world.js'
import { eventually } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { StoreWorld } from '../support/store-world.js'

/** Knows at most one domain, number 7; fails where it finds a file that says so. */
const XL = `#!/bin/sh
cd "$STATE"
echo "$@" >> calls
[ -e "fail-$1" ] && { echo "libxl: first" >&2; cat "fail-$1" >&2; exit 1; }
case "$1" in
  domid) [ -e running ] && echo 7 || { echo "xl: $2 is an invalid domain identifier" >&2; exit 1; } ;;
  create | restore) [ -e hang ] && { touch running; exec sleep 1000; }; touch running ;;
  destroy | shutdown) rm -f running ;;
  save) rm -f running; echo image > "$3" ;;
esac
`

const config = (more: object): XlLauncherConfig => {
  const [service] = servicesOf({ name: 'www', launcher: { kind: 'xl', kernel: '/boot/www.gz', ...more } })
  return service!.launcher as XlLauncherConfig
}

describe('xl.cfg', () => {
  it('has every key, one a line, each string in quotes', () => {
    const text = xlConfig(
      'www',
      config({
        memory: '32MiB',
        vcpus: 2,
        type: 'pvh',
        cmdline: 'say="hi" \\ there',
        vif: ['bridge=xenbr0,mac=00:16:3e:00:00:01'],
        disk: ['/a.img,raw,xvda,rw', '/b.img,raw,xvdb,r'],
        extra: { cpu_weight: 512, nomigrate: true, pci: ['01:00.0'] },
      }),
    )
    expect(text.split('\n')).to.deep.equal([
      'name = "www"',
      'type = "pvh"',
      'kernel = "/boot/www.gz"',
      'memory = 32',
      'vcpus = 2',
      'cmdline = "say=\\"hi\\" \\\\ there"',
      'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]',
      'disk = [ "/a.img,raw,xvda,rw", "/b.img,raw,xvdb,r" ]',
      'on_poweroff = "destroy"',
      'on_reboot = "destroy"',
      'on_crash = "destroy"',
      'cpu_weight = 512',
      'nomigrate = 1',
      'pci = [ "01:00.0" ]',
      '',
    ])
  })
})

describe('xl launcher', () => {
  let world: StoreWorld
  let directory: string
  let launcher: XlLauncher
  const steps: string[] = []
  const lines: string[] = []

  beforeEach(async () => {
    world = await StoreWorld.start()
    directory = mkdtempSync(join(tmpdir(), 'conduit-xl-'))
    const program = join(directory, 'xl')
    writeFileSync(program, XL, { mode: 0o755 })
    const environment = { PATH: process.env.PATH, STATE: directory }
    launcher = new XlLauncher(config({}), { directory, environment, store: world.dom0, program })
    world.store.introduceDomain(domid(7), { vm: '/vm/one' })
    steps.length = 0
    lines.length = 0
  })
  afterEach(async () => {
    await launcher.close()
    await world.close()
    rmSync(directory, { recursive: true })
  })

  const calls = (): string[] =>
    existsSync(join(directory, 'calls')) ? readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n') : []
  const context = (more: Partial<LaunchContext> = {}): LaunchContext => ({
    service: 'www',
    signal: new AbortController().signal,
    created: async ({ domid: id }) => void steps.push(`created ${id}`),
    step: (step) => void steps.push(step),
    log: (line) => void lines.push(line),
    ...more,
  })
  const launch = (): Promise<Launched> => launcher.launch(context())
  const die = async (): Promise<void> => world.store.domainDied(domid(7))
  const cfg = (): string => join(directory, 'www.cfg')

  it('builds a domain paused, keeps its name, and lets it run', async () => {
    const launched = await launch()
    expect([launched.domid, launched.pid, launched.token]).to.deep.equal([7, undefined, { domid: 7, vm: '/vm/one' }])
    expect(calls()).to.deep.equal(['domid www', `create -p -q ${cfg()}`, 'domid www', 'unpause 7'])
    expect(steps).to.deep.equal(['built', 'created 7', 'unpaused'])
    expect(readFileSync(cfg(), 'utf8')).to.include('name = "www"')
  })

  it('stops it as it is told, and sees it end in the store', async () => {
    for (const [mode, call] of [
      ['destroy', 'destroy 7'],
      ['shutdown', 'shutdown 7'],
    ] as const) {
      world.store.introduceDomain(domid(7), { vm: '/vm/one' })
      const launched = await launch()
      const stopped = launched.stop(mode)
      await eventually(() => calls().at(-1) === call)
      await die()
      await stopped
      expect(await launched.ended).to.equal('domain 7 is gone')
    }
    const launched = await launcher.adopt({ domid: 7, vm: '/vm/one' }, context())
    expect(launched).to.equal(undefined)
  })

  it('saves what is suspended, and restores it once', async () => {
    const image = join(directory, 'www.save')
    const first = await launch()
    const suspended = first.stop('suspend')
    await eventually(() => existsSync(image))
    await die()
    await suspended
    world.store.introduceDomain(domid(7), { vm: '/vm/two' })
    const second = await launch()
    expect(calls().slice(-4)).to.deep.equal(['domid www', `restore -p ${image}.restored`, 'domid www', 'unpause 7'])
    expect([existsSync(image), existsSync(`${image}.restored`)]).to.deep.equal([false, false])
    const ended = second.stop('destroy')
    await eventually(() => calls().at(-1) === 'destroy 7')
    await die()
    await ended
    world.store.introduceDomain(domid(7), { vm: '/vm/three' })
    await launch()
    expect(calls()).to.include(`create -p -q ${cfg()}`)
  })

  it('fails with the last line of xl, and takes away what was half built', async () => {
    writeFileSync(join(directory, 'fail-create'), 'libxl: not enough memory\n')
    expect(await expectCode(launch(), 'LAUNCHER'))
      .to.have.property('message')
      .that.matches(/xl create: libxl: not enough memory$/)
    expect(lines).to.include('libxl: first')
    rmSync(join(directory, 'fail-create'))
    writeFileSync(join(directory, 'fail-unpause'), 'no\n')
    await expectCode(launch(), 'LAUNCHER')
    expect(calls().at(-1)).to.equal('destroy 7')
  })

  it('ends xl, and what it has begun, when the boot is given up', async () => {
    writeFileSync(join(directory, 'hang'), '')
    const given = new AbortController()
    const launching = launcher.launch(context({ signal: given.signal }))
    await eventually(() => calls().length === 2 && existsSync(join(directory, 'running')))
    given.abort(new Error('given up'))
    expect(await rejectionOf(launching)).to.have.property('message', 'given up')
    expect(calls().slice(-2)).to.deep.equal(['domid www', 'destroy 7'])
  })

  it('starts nothing beside a domain of that name, and leaves that one alone', async () => {
    writeFileSync(join(directory, 'running'), '')
    expect((await expectCode(launch(), 'LAUNCHER')).message).to.equal('a domain named www runs already, as domain 7')
    expect(calls()).to.deep.equal(['domid www'])
  })

  it('finds its domain again by number and UUID, and never another one', async () => {
    const launched = await launch()
    const again = await launcher.adopt(JSON.parse(JSON.stringify(launched.token)), context())
    expect(again?.domid).to.equal(7)
    for (const token of [
      { domid: 7, vm: '/vm/other' },
      { domid: 8, vm: '/vm/one' },
      { domid: 0, vm: '' },
      {},
      null,
      7,
    ]) {
      expect(await launcher.adopt(token, context()), JSON.stringify(token)).to.equal(undefined)
    }
    // A number that was given again is not its domain: nothing is done to it.
    await die()
    world.store.introduceDomain(domid(7), { vm: '/vm/next' })
    const before = calls().length
    await launched.stop('destroy')
    expect([await launched.ended, calls().length]).to.deep.equal(['domain 7 is gone', before])
  })

  it('says so when there is no xl', async () => {
    const without = new XlLauncher(config({}), {
      directory,
      environment: {},
      store: world.dom0,
      program: '/nowhere/xl',
    })
    const error = await expectCode(without.launch(context()), 'LAUNCHER')
    expect([error.errno, error.hint]).to.deep.equal(['ENOENT', 'install it, or put it on the PATH of jitsud'])
  })
})
