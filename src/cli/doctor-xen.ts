// What `doctor` looks at of Xen: device nodes, modules, permissions, whether the store answers, whether a page can be granted.
// On the local backend findings only, since nothing of it is needed there.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isConduitError } from '../errors.js'
import { native } from '../native.js'
import { openDevice, XEN_DEVICES, type XenDevice } from '../substrate/xen/devices.js'
import { GRANT_LIMIT_PATH, readGrantLimit } from '../substrate/xen/granted-pages.js'
import { chooseStore, isXenDomain, nodeState, VCHAN_DEVICES } from '../substrate/xen/presence.js'
import { XenSubstrate } from '../substrate/xen/xen-substrate.js'
import { attempt, type Check } from './doctor-check.js'

/** Debian starts xenstored from the init script of the toolstack; elsewhere it has a unit of its own. */
const START_STORE =
  'in dom0: service xen start (Debian), or systemctl start xenstored; in a guest: modprobe xenfs, for /dev/xen/xenbus'
const GRANTS_REFUSED = 'modprobe -r xen-gntalloc && modprobe xen-gntalloc; dmesg says why the kernel refuses'
/** A store that has not answered by then is dead. */
const STORE_TIMEOUT_MS = 3000

/** What the checks look at; in tests another machine. */
export interface XenSight {
  /** What stands for `/`. */
  readonly root: string
  readonly nodeState: typeof nodeState
  /** Which domain the store says this is. @throws ConduitError when it does not say */
  askDomid(timeoutMs: number): Promise<number>
  /** Grant a page and take it back. @throws an error with the kernel's errno */
  grantPage(): void
}

const HERE: XenSight = {
  root: '/',
  nodeState,
  async askDomid(timeoutMs) {
    await using substrate = await XenSubstrate.open({ timeoutMs })
    return substrate.domid
  },
  grantPage() {
    const fd = openDevice(native(), 'gntalloc')
    try {
      const [index] = native().gntallocAllocate(fd, 0, 1, false)
      native().gntallocRelease(fd, index, 1)
    } finally {
      native().closeFd(fd)
    }
  },
}

/** @param needed whether the chosen backend is xen */
export async function xenChecks(needed: boolean, sight: XenSight = HERE): Promise<Check[]> {
  const onXen = isXenDomain(sight.root)
  if (!needed && !onXen) {
    return [{ name: 'xen', state: 'ok', text: 'this is no Xen domain; the local backend needs none' }]
  }
  const worst = needed ? 'fail' : 'warn'
  const domain: Check = onXen
    ? { name: 'xen', state: 'ok', text: 'this is a Xen domain' }
    : { name: 'xen', state: 'fail', text: 'this is no Xen domain', fix: 'unset CONDUIT_BACKEND, or set it to local' }
  const devices = VCHAN_DEVICES.map((device) => deviceCheck(device, worst, sight))
  const [, , gntalloc] = devices
  const grants = gntalloc?.state === 'ok' ? [grantCheck(worst, sight)] : []
  return [domain, ...devices, await attempt('xenstore', () => storeCheck(worst, sight)), ...grants]
}

function deviceCheck(device: XenDevice, worst: 'fail' | 'warn', { root, nodeState: look }: XenSight): Check {
  const { path: name, module } = XEN_DEVICES[device]
  const state = look(join(root, name))
  if (state === 'open') return { name, state: 'ok', text: 'readable and writable' }
  if (state === 'missing') {
    const loaded = existsSync(join(root, '/sys/module', module.replace('-', '_')))
    const fix = loaded ? 'mount -t devtmpfs dev /dev: its module is loaded' : `modprobe ${module}`
    return { name, state: worst, text: loaded ? 'missing' : `missing: the module ${module} is not loaded`, fix }
  }
  return {
    name,
    state: worst,
    text: 'this user may not open it',
    fix: giveToGroup(device),
  }
}

/** Root's own commands, from no group to a node that its members may open. */
function giveToGroup(device: XenDevice): string {
  return [
    'run as root, or give it to a group (members log in anew): groupadd -rf xen; usermod -aG xen USER',
    `echo 'KERNEL=="xen/${device}", GROUP="xen", MODE="0660"' >> /etc/udev/rules.d/60-xen.rules`,
    'udevadm control --reload && udevadm trigger',
  ].join('; ')
}

async function storeCheck(worst: 'fail' | 'warn', { root, nodeState: look, askDomid }: XenSight): Promise<Check> {
  const name = 'xenstore'
  const { path, state } = chooseStore(root, process.env, look)
  if (state === 'missing') return { name, state: worst, text: 'there is no store', fix: START_STORE }
  if (state === 'closed') {
    const fix = path.endsWith('xenbus')
      ? giveToGroup('xenbus')
      : 'run as root: the socket of xenstored is for root alone'
    return { name, state: worst, text: `${path}: this user may not open it`, fix }
  }
  try {
    return { name, state: 'ok', text: `answers through ${path}: this is domain ${await askDomid(STORE_TIMEOUT_MS)}` }
  } catch (error) {
    if (!isConduitError(error)) throw error
    return { name, state: worst, text: `${path}: ${error.message}`, fix: error.hint }
  }
}

function grantCheck(worst: 'fail' | 'warn', { root, grantPage }: XenSight): Check {
  const name = 'grants'
  const limit = readGrantLimit(join(root, GRANT_LIMIT_PATH)) ?? 'an unknown number of'
  const fix = `echo 4096 > ${GRANT_LIMIT_PATH}; for good: options xen-gntalloc limit=4096 in /etc/modprobe.d/xen.conf`
  try {
    grantPage()
    return { name, state: 'ok', text: `${limit} pages for the whole domain, 33 a connection with 64 KiB rings` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOSPC')
      return { name, state: worst, text: `no page can be granted: ${message}`, fix: GRANTS_REFUSED }
    return { name, state: worst, text: `all of ${limit} pages are granted: new connections fail`, fix }
  }
}
