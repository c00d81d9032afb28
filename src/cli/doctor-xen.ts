// What `doctor` looks at of Xen: device nodes, modules, permissions, the store. On the local backend findings only, since
// nothing of it is needed there.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import type { Check } from './doctor-check.js'

/** Device nodes and the modules that make them (linux, drivers/xen). */
const DEVICES = [
  { path: '/dev/xen/evtchn', module: 'xen-evtchn' },
  { path: '/dev/xen/gntdev', module: 'xen-gntdev' },
  { path: '/dev/xen/gntalloc', module: 'xen-gntalloc' },
] as const
const STORES = ['/run/xenstored/socket', '/dev/xen/xenbus'] as const
const GRANT_LIMIT_PATH = '/sys/module/xen_gntalloc/parameters/limit'
const HYPERVISOR_TYPE_PATH = '/sys/hypervisor/type'

/** @param needed whether the chosen backend is xen */
export function xenChecks(needed: boolean): Check[] {
  const onXen = existsSync(HYPERVISOR_TYPE_PATH) && readFileSync(HYPERVISOR_TYPE_PATH, 'utf8').trim() === 'xen'
  if (!needed && !onXen) {
    return [{ name: 'xen', state: 'ok', text: 'this is no Xen domain; the local backend needs none' }]
  }
  const worst = needed ? 'fail' : 'warn'
  const domain: Check = onXen
    ? { name: 'xen', state: 'ok', text: 'this is a Xen domain' }
    : { name: 'xen', state: 'fail', text: 'this is no Xen domain', fix: 'unset CONDUIT_BACKEND, or set it to local' }
  return [domain, ...DEVICES.map((device) => deviceCheck(device, worst)), storeCheck(worst), grantLimitCheck()]
}

function deviceCheck({ path, module }: { path: string; module: string }, worst: 'fail' | 'warn'): Check {
  if (!existsSync(path)) return { name: path, state: worst, text: 'missing', fix: `modprobe ${module}` }
  if (openable(path)) return { name: path, state: 'ok', text: 'readable and writable' }
  return {
    name: path,
    state: worst,
    text: 'this user may not open it',
    fix: `chgrp and chmod g+rw ${path} by a udev rule`,
  }
}

function storeCheck(worst: 'fail' | 'warn'): Check {
  const found = STORES.find(openable)
  if (found !== undefined) return { name: 'xenstore', state: 'ok', text: found }
  const fix = 'start xenstored in dom0, or modprobe xen-xenbus-frontend and allow this user to open /dev/xen/xenbus'
  return { name: 'xenstore', state: worst, text: `none of ${STORES.join(', ')} can be opened`, fix }
}

function grantLimitCheck(): Check {
  const name = 'grants'
  if (!existsSync(GRANT_LIMIT_PATH))
    return { name, state: 'warn', text: `no ${GRANT_LIMIT_PATH}`, fix: 'modprobe xen-gntalloc' }
  const limit = readFileSync(GRANT_LIMIT_PATH, 'utf8').trim()
  return { name, state: 'ok', text: `${limit} pages for the whole domain; raise it in ${GRANT_LIMIT_PATH}` }
}

function openable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
