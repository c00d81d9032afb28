// Network and disk of a domain that the launcher xen builds: Linux uses both, xl finds them, and nothing is left of them.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { sweepDevices } from '../../../src/jitsu/launchers/xen-device-sweep.js'
import { monotonicClock } from '../../../src/jitsu/monotonic-clock.js'
import { GUEST_KERNEL, GUEST_ROOT } from '../../../testbed/qemu.js'
import { expectCode } from '../../support/expect-rejection.js'
import { type MachineState, XenBuilderWorld } from '../../support/xen-builder-world.js'
import { Guest, here } from '../../support/xen-machine.js'

/** Debian's own scripts want bash, which the machine has not; these do what they do. */
const VIF_SCRIPT = `#!/bin/sh -e
echo "$@ $XENBUS_TYPE $vif" >> FOLDER/scripts
[ "$1" = online ] || exit 0
ip addr add 192.0.2.1/24 dev "$vif"
ip link set "$vif" up
xenstore-write "$XENBUS_PATH/hotplug-status" connected
`
const DISK_SCRIPT = `#!/bin/sh -e
echo "$@ $XENBUS_TYPE" >> FOLDER/scripts
device=$(xenstore-read "$XENBUS_PATH/node" 2>/dev/null || losetup -f)
if [ "$1" = remove ]; then exec losetup -d "$device"; fi
losetup "$device" "$(xenstore-read "$XENBUS_PATH/params")"
xenstore-write "$XENBUS_PATH/node" "$device"
xenstore-write "$XENBUS_PATH/physical-device" "$(stat -c %t:%T "$device")"
xenstore-write "$XENBUS_PATH/hotplug-status" connected
`
const LOAD = 'while read -r module; do insmod "$module"; done </lib/testbed/device-modules'

describe('devices of the launcher xen', () => {
  let world: XenBuilderWorld
  let before_: MachineState
  let devices: { vif: string[]; disk: string[] }
  const scripts = (): string[] => readFileSync(join(world.folder, 'scripts'), 'utf8').trim().split('\n')

  before(async () => {
    expect((await here.run(LOAD)).status).to.equal(0)
    world = await XenBuilderWorld.start()
    for (const [name, text] of [
      ['vif', VIF_SCRIPT],
      ['disk', DISK_SCRIPT],
    ] as const) {
      writeFileSync(join(world.folder, name), text.replace('FOLDER', world.folder), { mode: 0o755 })
    }
    const image = join(world.folder, 'image')
    writeFileSync(image, Buffer.alloc(1 << 20, 'the disk\n'))
    devices = {
      vif: [`mac=00:16:3e:00:00:07,script=${world.folder}/vif`],
      disk: [`${image},raw,xvda,r,script=${world.folder}/disk`],
    }
  })
  after(() => world.close())
  beforeEach(async () => {
    before_ = await world.state()
    writeFileSync(join(world.folder, 'scripts'), '')
  })
  afterEach(async () => {
    await world.returnsTo(before_)
    expect((await here.run('losetup -a; ls /sys/class/net')).output.trim()).to.equal('lo')
  })

  it('are used by a Linux that was built directly', async () => {
    const linux = {
      kernel: GUEST_KERNEL,
      ramdisk: GUEST_ROOT,
      memory: '512MiB',
      cmdline: 'console=hvc0 quiet panic=1 rdinit=/sbin/guest-init',
    }
    const launched = await world.launcher({ ...linux, ...devices }).launch(world.context('linux'))
    const guest = await Guest.of({ domid: launched.domid!, name: 'linux', type: 'pv' })
    expect((await guest.run(LOAD)).status).to.equal(0)
    const up =
      'until [ -e /sys/class/net/eth0 ] && [ -e /dev/xvda ]; do usleep 10000; done; ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up'
    expect((await guest.run(up)).status).to.equal(0)
    expect(
      (await guest.run('cat /sys/class/net/eth0/address; head -c 9 /dev/xvda; cat /sys/block/xvda/ro')).output,
    ).to.equal('00:16:3e:00:00:07\nthe disk\n1\n')
    const ping = await guest.run('ping -c 1 -w 20 192.0.2.1')
    expect(ping.output).to.include('1 packets received')
    expect((await guest.run('xenstore-read control/feature-poweroff')).output).to.equal('1\n')
    // Asked to end, Linux takes the order, and leaves it to the first program, which here does not know how.
    const stopped = launched.stop('shutdown')
    const order = `/local/domain/${launched.domid}/control/shutdown`
    for await (const _ of world.store.watches(order)) {
      if ((await world.store.exists(order)) && (await world.store.readText(order)) === '') break
    }
    guest.spawn('poweroff -f')
    await stopped
    expect(await launched.ended).to.equal(`domain ${launched.domid} has shut down`)
    expect(scripts()).to.have.members([
      `online type_if=vif vif vif${launched.domid}.0`,
      'add vbd',
      `offline type_if=vif vif vif${launched.domid}.0`,
      'remove vbd',
    ])
  })

  it('go with a domain that has never used them, and with one that xl destroys', async () => {
    const launcher = world.launcher(devices)
    const launched = await launcher.launch(world.context('www'))
    expect(scripts()).to.have.length(2)
    await launched.stop('destroy')
    const second = await launcher.launch(world.context('www'))
    expect((await here.run('xl destroy www')).status).to.equal(0)
    await second.ended
  })

  it('of a domain that is gone are taken away by the next jitsud, where the last was killed', async () => {
    const builder = world.builder()
    const launcher = world.launcher(devices, builder)
    const { domid } = await launcher.prepare(world.context('www'))
    // As if killed: nobody looks any more, and the builder ends with its user.
    await launcher.close()
    await builder.close()
    expect((await here.run('losetup -a')).output).to.not.equal('')
    const next = world.builder()
    const parts = { store: world.store, environment: process.env, clock: monotonicClock, log: () => undefined }
    expect(await sweepDevices({ ...parts, builder: next })).to.equal(2)
    expect(scripts()).to.include.members([`offline type_if=vif vif vif${domid}.0`, 'remove vbd'])
    expect(await sweepDevices({ ...parts, builder: next })).to.equal(0)
  })

  it('that cannot be attached take the domain with them, and say why', async () => {
    const failing = join(world.folder, 'failing')
    writeFileSync(failing, '#!/bin/sh\necho "no such bridge" >&2\n[ "$1" = offline ]\n', { mode: 0o755 })
    const launcher = world.launcher({ ...devices, vif: [`script=${failing}`] })
    const error = await expectCode(launcher.launch(world.context('www')), 'LAUNCHER')
    expect(error.message).to.include('no such bridge')
  })
})
