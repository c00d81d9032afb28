// What `doctor` looks at of Xen: device nodes, modules, permissions, whether the store answers, whether a page can be granted.
// On the local backend findings only, since nothing of it is needed there.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isConduitError } from '../errors.js'
import { native } from '../native.js'
import { openDevice, XEN_DEVICES, type XenDevice } from '../substrate/xen/devices.js'
import { GRANT_LIMIT_PATH, readGrantLimit } from '../substrate/xen/granted-pages.js'
import { isXenDomain, nodeState, storePaths, VCHAN_DEVICES } from '../substrate/xen/presence.js'
import { XenSubstrate } from '../substrate/xen/xen-substrate.js'
import { attempt, type Check } from './doctor-check.js'

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
    fix: `run as root, or give it to a group: echo 'KERNEL=="xen/${device}", GROUP="xen", MODE="0660"' > /etc/udev/rules.d/60-xen.rules`,
  }
}

async function storeCheck(worst: 'fail' | 'warn', { root, askDomid }: XenSight): Promise<Check> {
  const name = 'xenstore'
  const [path] = storePaths(root)
  if (path === undefined) {
    const fix = 'in dom0: systemctl start xenstored; in a guest: modprobe xenfs, and run as root, for /dev/xen/xenbus'
    return { name, state: worst, text: 'neither the socket of xenstored nor /dev/xen/xenbus can be opened', fix }
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
    if (code !== 'ENOSPC') return { name, state: worst, text: `no page can be granted: ${message}` }
    return { name, state: worst, text: `all of ${limit} pages are granted: new connections fail`, fix }
  }
}
