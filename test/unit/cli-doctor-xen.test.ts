// What the doctor finds of Xen on machines of a test's making.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { type XenSight, xenChecks } from '../../src/cli/doctor-xen.js'
import { ConduitError } from '../../src/errors.js'
import { chooseStore, nodeState } from '../../src/substrate/xen/presence.js'

describe('the doctor on Xen', () => {
  let root: string
  const put = (path: string, text = '') => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'conduit-test-'))
    put('sys/hypervisor/type', 'xen\n')
    put('sys/module/xen_gntalloc/parameters/limit', '1024\n')
    for (const device of ['evtchn', 'gntdev', 'gntalloc', 'xenbus']) put(`dev/xen/${device}`)
  })

  afterEach(() => rmSync(root, { recursive: true }))

  async function find(name: string, sight: Partial<XenSight> = {}, needed = true) {
    const healthy: XenSight = { root, nodeState, askDomid: async () => 3, grantPage: () => undefined }
    const checks = await xenChecks(needed, { ...healthy, ...sight })
    return checks.find((check) => check.name === name)
  }

  it('finds nothing wrong where nothing is', async () => {
    const checks = await xenChecks(true, { root, nodeState, askDomid: async () => 3, grantPage: () => undefined })
    expect(checks.map(({ name, state }) => `${name} ${state}`)).to.deep.equal([
      'xen ok',
      '/dev/xen/evtchn ok',
      '/dev/xen/gntdev ok',
      '/dev/xen/gntalloc ok',
      'xenstore ok',
      'grants ok',
    ])
    expect(checks[4]?.text).to.include('domain 3')
  })

  it('says that this is no Xen domain: a failure where Xen was asked for', async () => {
    rmSync(join(root, 'sys/hypervisor/type'))
    expect(await find('xen')).to.include({ state: 'fail', fix: 'unset CONDUIT_BACKEND, or set it to local' })
    expect(await find('xen', {}, false)).to.include({ state: 'ok' })
  })

  it('names the module of a missing node', async () => {
    rmSync(join(root, 'dev/xen/evtchn'))
    expect(await find('/dev/xen/evtchn')).to.include({ state: 'fail', fix: 'modprobe xen-evtchn' })
    expect(await find('/dev/xen/evtchn', {}, false)).to.include({ state: 'warn' })
  })

  it('does not blame a module that is loaded', async () => {
    rmSync(join(root, 'dev/xen/gntalloc'))
    expect((await find('/dev/xen/gntalloc'))?.fix).to.include('devtmpfs')
    expect(await find('grants')).to.equal(undefined)
  })

  it('names a udev rule for a node that this user may not open', async () => {
    const finding = await find('/dev/xen/gntdev', { nodeState: () => 'closed' })
    expect(finding).to.include({ state: 'fail', text: 'this user may not open it' })
    expect(finding?.fix).to.include('KERNEL=="xen/gntdev"')
    for (const step of ['groupadd', 'usermod -aG xen', 'udevadm control --reload && udevadm trigger']) {
      expect(finding?.fix).to.include(step)
    }
  })

  it('tells a store that is not there from one that does not answer', async () => {
    const askDomid = () =>
      Promise.reject(new ConduitError('SUBSTRATE_UNAVAILABLE', 'no answer for 3000 ms', { hint: 'look at xenstored' }))
    expect(await find('xenstore', { askDomid })).to.deep.equal({
      name: 'xenstore',
      state: 'fail',
      text: `${join(root, 'dev/xen/xenbus')}: no answer for 3000 ms`,
      fix: 'look at xenstored',
    })
    rmSync(join(root, 'dev/xen/xenbus'))
    expect((await find('xenstore'))?.fix).to.include('service xen start')
  })

  it('tells a store that is closed to this user from one that is not there', async () => {
    const closed = await find('xenstore', { nodeState: () => 'closed' })
    expect(closed).to.include({ state: 'fail' })
    expect(closed?.text).to.include('may not open it')
    expect(closed?.fix).to.include('run as root').and.not.include('start')
  })

  it('looks at the store that is then opened: the first that this user may open', () => {
    const socket = join(root, 'run/xenstored/socket')
    const environment = { XENSTORED_PATH: '/run/xenstored/socket' }
    const closed: typeof nodeState = (path) => (path === socket ? 'closed' : 'open')
    expect(chooseStore(root, environment, closed).path).to.equal(join(root, 'dev/xen/xenbus'))
    expect(chooseStore(root, environment, () => 'closed')).to.deep.equal({ path: socket, state: 'closed' })
    expect(chooseStore(root, environment, () => 'missing').state).to.equal('missing')
  })

  it('has something to do about every reason why no page can be granted', async () => {
    const grantPage = () => {
      throw Object.assign(new Error('Cannot allocate memory'), { code: 'ENOMEM' })
    }
    expect((await find('grants', { grantPage }))?.fix).to.include('dmesg')
  })

  it('finds gntalloc full, with the file that raises its limit', async () => {
    const grantPage = () => {
      throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' })
    }
    const finding = await find('grants', { grantPage })
    expect(finding).to.include({ state: 'fail' })
    expect(finding?.text).to.include('all of 1024')
    expect(finding?.fix).to.include('/sys/module/xen_gntalloc/parameters/limit')
  })
})
