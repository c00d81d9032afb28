// Devices of the launcher xen: what its configuration may say of them, and the nodes and scripts by which they are attached, where a
// test plays the kernel's part. Real back ends: test/xen/inside/xen-devices.test.ts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { ConduitError } from '../../src/errors.js'
import { parseDisk, parseVif } from '../../src/jitsu/launchers/xen-device-spec.js'
import { DEVICE_MS, XenDevices } from '../../src/jitsu/launchers/xen-devices.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import { StoreWorld } from '../support/store-world.js'

const file = (text: string) => parseDisk(text, () => false)

describe('a device of the launcher xen', () => {
  it('is a network, as xl writes one', () => {
    const { back, front, script, number } = parseVif('mac=00:16:3E:01:02:03,bridge=br7,script=vif-route,ip=10.0.0.7', 1)
    expect([script, number]).to.deep.equal(['/etc/xen/scripts/vif-route', 1])
    expect(back).to.include({ mac: '00:16:3E:01:02:03', bridge: 'br7', ip: '10.0.0.7', handle: '1', script })
    expect(front).to.deep.equal({ mac: '00:16:3E:01:02:03', handle: '1' })
    const plain = parseVif('', 0)
    expect(plain.back).to.include({ bridge: 'xenbr0', script: '/etc/xen/scripts/vif-bridge' })
    expect(plain.back.mac).to.match(/^00:16:3e:[0-7][0-9a-f](:[0-9a-f]{2}){2}$/)
    expect(parseVif('', 0).back.mac).to.not.equal(plain.back.mac)
  })

  it('is a disk, as xl writes one', () => {
    expect(file('/root/a.img,raw,xvda,rw').back).to.include({
      params: '/root/a.img',
      type: 'file',
      mode: 'w',
      dev: 'xvda',
    })
    expect(parseDisk('/dev/vg/a,,xvdb,r', () => true).back).to.include({ type: 'phy', mode: 'r' })
    expect(file('target=/a,vdev=xvdc,access=ro,script=/opt/mine').script).to.equal('/opt/mine')
    // xen:docs/man/xen-vbd-interface.7.pandoc: major 202, 16 to a disk; from the 17th disk on, 256 to a disk with bit 28.
    for (const [vdev, number] of [
      ['xvda', 51712],
      ['xvda2', 51714],
      ['xvdp', 51952],
      ['xvdq', 268439552],
    ] as const) {
      expect(file(`/a,raw,${vdev},r`).number).to.equal(number)
    }
  })

  it('that takes a device model, or is none, is refused with the rule', () => {
    for (const [parse, text, rule] of [
      [file, '/a,qcow2,xvda,rw', 'format raw only'],
      [file, 'relative,raw,xvda,rw', 'absolute path'],
      [file, '/a,raw,hda,rw', 'vdev is'],
      [file, '/a,raw,,rw', 'vdev is'],
      [file, '/a,raw,xvda,x', 'access is'],
      [file, '/a,raw,xvda,r,cdrom', 'disk is target'],
      [file, '/a,raw,xvda,r,devtype=cdrom', 'devtype=disk only'],
      [file, '', 'absolute path'],
      [(text: string) => parseVif(text, 0), 'type=ioemu', 'type=vif only'],
      [(text: string) => parseVif(text, 0), 'xenbr0', 'key=value'],
      [(text: string) => parseVif(text, 0), 'mac=1:2', 'six pairs'],
      [(text: string) => parseVif(text, 0), 'rate=1Mb/s', 'vif takes'],
    ] as const) {
      expect(() => parse(text), text)
        .to.throw(ConduitError, rule)
        .with.property('code', 'CONFIG')
    }
  })
})

describe('attaching a device', () => {
  let world: StoreWorld
  let folder: string
  let clock: ManualClock
  let devices: XenDevices
  const back = '/local/domain/0/backend/vif/7/0'
  const front = '/local/domain/7/device/vif/0'
  const lines: string[] = []

  beforeEach(async () => {
    world = await StoreWorld.start()
    world.store.introduceDomain(domid(7))
    folder = mkdtempSync(join(tmpdir(), 'conduit-devices-'))
    clock = new ManualClock()
    const script = join(folder, 'script')
    writeFileSync(script, `#!/bin/sh\necho "$@ $vif $XENBUS_PATH" >> ${folder}/calls\n[ ! -e ${folder}/fail-$1 ]\n`, {
      mode: 0o755,
    })
    writeFileSync(join(folder, 'calls'), '')
    const specs = [parseVif(`mac=00:16:3e:00:00:01,script=${script}`, 0)]
    const environment = { PATH: process.env.PATH }
    devices = new XenDevices({
      store: world.dom0,
      environment,
      clock,
      domid: domid(7),
      specs,
      log: (line) => void lines.push(line),
    })
  })
  afterEach(async () => {
    await world.close()
    rmSync(folder, { recursive: true })
  })

  const calls = (): string[] => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')
  /** As the kernel does when it finds a device. */
  const kernelSays = async (state: string): Promise<void> => {
    await eventually(() => world.dom0.exists(`${back}/state`))
    await world.dom0.write(`${back}/state`, state)
  }

  it('waits for the back end, then runs its script, and both sides may read each other', async () => {
    const attached = devices.attach()
    await eventually(() => world.dom0.exists(`${back}/state`))
    expect(calls()).to.deep.equal([''])
    await kernelSays('2')
    await attached
    expect(calls()).to.deep.equal([`online type_if=vif vif7.0 ${back}`])
    expect(await world.tree(back)).to.include.members([`${back} n0,r7`, `${back}/frontend n0,r7 ${front}`])
    expect(await world.tree(front)).to.include.members([
      `${front} n7,r0`,
      `${front}/backend n7,r0 ${back}`,
      `${front}/state n7,r0 1`,
    ])
    expect(await world.dom0.readText('/libxl/7/device/vif/0/backend')).to.equal(back)
  })

  it('gives up a back end that does not come, and names its module', async () => {
    const attached = devices.attach()
    await eventually(() => clock.waiting > 0)
    clock.advance(DEVICE_MS)
    const error = await expectCode(attached, 'LAUNCHER')
    expect([error.message, error.hint]).to.deep.equal([
      'vif 0 of domain 7 has no back end after 10 s',
      'modprobe xen-netback',
    ])
  })

  it('is undone, in whatever state it is, and a second time without effect', async () => {
    const attached = devices.attach()
    await kernelSays('2')
    await attached
    const detached = devices.detach()
    await eventually(async () => (await world.dom0.readText(`${back}/state`)) === '5')
    expect(await world.dom0.exists(front)).to.equal(false)
    await kernelSays('6')
    await detached
    expect(calls().at(-1)).to.equal(`offline type_if=vif vif7.0 ${back}`)
    expect(await world.dom0.exists('/local/domain/0/backend/vif/7')).to.equal(false)
    expect(await world.dom0.exists('/libxl/7/device/vif/0')).to.equal(false)
    await devices.detach()
    expect(calls()).to.have.length(2)
  })

  it('is undone though its back end never closes and its script fails', async () => {
    const attached = devices.attach()
    await kernelSays('2')
    await attached
    writeFileSync(join(folder, 'fail-offline'), '')
    const detached = devices.detach()
    await eventually(() => clock.waiting > 0)
    clock.advance(DEVICE_MS)
    await detached
    expect(await world.dom0.exists('/local/domain/0/backend/vif/7')).to.equal(false)
    expect(lines.join('\n'))
      .to.include('does not close after 10 s')
      .and.match(/script offline: exit status 1/)
  })
})
