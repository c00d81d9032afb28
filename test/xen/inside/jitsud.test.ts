// jitsud's directory and its xl launcher with real guests: booted when somebody asks, ready by the guest's own word, missed when
// they are destroyed, found again, ended when they are not wanted.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Registrar } from '../../../src/conduit/registrar.js'
import { Directory } from '../../../src/jitsu/directory.js'
import { Jitsud } from '../../../src/jitsu/jitsud.js'
import { Launchers } from '../../../src/jitsu/launchers/launchers.js'
import { checkedConfig } from '../../../src/jitsu/read-config.js'
import { queryDns } from '../../../src/resolver/dns-client.js'
import type { XenstoreClient } from '../../../src/xenstore/client.js'
import { GUEST_KERNEL, GUEST_ROOT } from '../../../testbed/qemu.js'
import { LogLines, servicesOf } from '../../support/directory-world.js'
import { eventually } from '../../support/eventually.js'
import { here, openStore } from '../../support/xen-machine.js'

/** What Linux writes as soon as it can be told to power off (linux:drivers/xen/manage.c): the first own word of any guest. */
const READY = { when: 'key', key: 'control/feature-poweroff', value: '1', timeoutSeconds: 100 }

const summoned = {
  name: 'summoned',
  dns: ['summoned.example'],
  addresses: ['192.0.2.7'],
  launcher: {
    kind: 'xl',
    kernel: GUEST_KERNEL,
    ramdisk: GUEST_ROOT,
    memory: '512MiB',
    type: 'pv',
    extra: { extra: 'console=hvc0 loglevel=2 panic=1 rdinit=/sbin/guest-init' },
  },
  ready: READY,
}
const services = servicesOf(summoned)

describe('jitsud in dom0', () => {
  let store: XenstoreClient
  let registrar: Registrar
  let folder: string
  let directory: Directory
  const log = new LogLines()

  const open = async (): Promise<void> => {
    const launchers = await Launchers.open({ directory: join(folder, 'files'), xenStore: store })
    directory = await Directory.open({
      services,
      launchers: (config) => launchers.launcherOf(config),
      store,
      stateFile: join(folder, 'state.json'),
      log,
    })
  }
  const service = () => directory.byName('summoned')!
  const becomes = (state: string) => eventually(() => service().state === state)

  before(async () => {
    store = await openStore()
    store.ref()
    registrar = await Registrar.start(store)
    folder = mkdtempSync('/tmp/jitsud-')
    await open()
  })
  after(async () => {
    await directory.close({ stopServices: true })
    await registrar.close()
    await store.close()
    rmSync(folder, { recursive: true })
    expect((await here.run('xl list summoned')).status).to.not.equal(0)
  })

  it('boots a guest when somebody asks, and answers when it is ready', async () => {
    await Promise.all([service().summon('dns'), service().summon('dns')])
    const { domid } = service().instance!
    expect((await here.run('xl domid summoned')).output.trim()).to.equal(String(domid))
    const [timeline] = directory.timelines()
    expect(timeline).to.include({ outcome: 'ready', askers: 2 })
    const times = (['launch', 'built', 'unpaused', 'alive', 'ready'] as const).map((step) => timeline!.steps[step])
    expect(times).to.deep.equal([...times].sort((a, b) => (a ?? 0) - (b ?? 0)))
    expect(await store.readText('/conduit/host-id/reserved/summoned')).to.equal(`domain ${domid}`)
  })

  it('finds it again after a restart', async () => {
    const before = service().instance?.domid
    await directory.close()
    await open()
    await becomes('ready')
    expect(service().instance?.domid).to.equal(before)
  })

  it('misses it when it is destroyed', async () => {
    expect((await here.run('xl destroy summoned')).status).to.equal(0)
    await becomes('stopped')
    expect(log.lines.join('\n')).to.match(/summoned has ended: domain [0-9]+ is gone/)
  })
})

describe('jitsud as a whole in dom0', () => {
  let folder: string
  const start = (): Promise<Jitsud> =>
    Jitsud.start({
      config: checkedConfig({ dns: { listen: '127.0.0.1:0' }, services: [summoned] }, 'the test'),
      stateFile: join(folder, 'state.json'),
      runtimeDir: join(folder, 'run'),
      onExit: 'leave',
    })
  before(() => {
    folder = mkdtempSync('/tmp/jitsud-')
  })
  after(async () => {
    await here.run('xl destroy summoned')
    rmSync(folder, { recursive: true })
  })

  it('gives out names, boots a guest for who asks its DNS, and leaves it to the next jitsud', async () => {
    const jitsud = await start()
    const servers = [jitsud.dnsAddress!]
    const { answers } = await queryDns({ servers, name: 'summoned.example', type: 'A', timeoutMs: 100_000 })
    expect(answers).to.deep.include({ name: 'summoned.example', type: 'A', ttl: 60, address: '192.0.2.7' })
    expect((await here.run('conduit-cat ls')).output).to.match(/jitsud +0/)
    await jitsud.close()
    const next = await start()
    await eventually(() => next.status().services[0]!.state === 'ready')
    expect(next.timelines('summoned')).to.deep.equal([])
    await next.close()
    expect((await here.run('xl domid summoned')).status).to.equal(0)
  })
})
