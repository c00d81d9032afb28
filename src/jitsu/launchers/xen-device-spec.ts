// Devices as a configuration names them, in xl's words (xl-network-configuration(5), xl-disk-configuration(5)), as the nodes that a kernel's
// back ends and front ends meet by. What takes a device model is refused: there is none.
import { randomBytes } from 'node:crypto'
import { ConduitError } from '../../errors.js'

export interface DeviceSpec {
  readonly kind: 'vif' | 'vbd'
  /** Among the domain's devices of its kind. */
  readonly number: number
  /** Brings it up and down on dom0's side. */
  readonly script: string
  readonly back: Readonly<Record<string, string>>
  readonly front: Readonly<Record<string, string>>
}

/** In a back end's nodes: it is ours to take away. */
export const MARK = { node: 'toolstack', value: 'conduit' } as const

const SCRIPTS = '/etc/xen/scripts'

/** @throws ConduitError CONFIG */
export function parseVif(text: string, index: number): DeviceSpec {
  const { named, positional } = parts(text)
  const known = ['mac', 'bridge', 'script', 'ip', 'vifname', 'type']
  refuseUnless(positional.length === 0, text, 'vif is a list of key=value')
  refuseUnless(
    Object.keys(named).every((key) => known.includes(key)),
    text,
    `vif takes ${known.join(', ')} here`,
  )
  refuseUnless(named.type === undefined || named.type === 'vif', text, 'type=vif only: there is no device model')
  const { mac = randomMac(), bridge = 'xenbr0', script = 'vif-bridge', ip, vifname } = named
  refuseUnless(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac), text, 'mac is six pairs of hex digits')
  const handle = String(index)
  const optional = { ...(ip === undefined ? {} : { ip }), ...(vifname === undefined ? {} : { vifname }) }
  return {
    kind: 'vif',
    number: index,
    script: scriptPath(script),
    back: { [MARK.node]: MARK.value, script: scriptPath(script), mac, bridge, handle, type: 'vif', ...optional },
    front: { mac, handle },
  }
}

/** @param isDevice whether a path is a disk already, rather than a file. @throws ConduitError CONFIG */
export function parseDisk(text: string, isDevice: (path: string) => boolean): DeviceSpec {
  const { named, positional } = parts(text)
  const known = ['target', 'format', 'vdev', 'access', 'script', 'backendtype', 'devtype']
  refuseUnless(positional.length <= 4, text, 'disk is target, format, vdev, access')
  refuseUnless(
    Object.keys(named).every((key) => known.includes(key)),
    text,
    `disk takes ${known.join(', ')} here`,
  )
  const at = (position: number, key: string): string | undefined => named[key] ?? (positional[position] || undefined)
  const [target, format = 'raw', vdev, access = 'rw'] = known.slice(0, 4).map((key, position) => at(position, key))
  refuseUnless(target?.startsWith('/') === true, text, 'the target is an absolute path')
  refuseUnless(format === 'raw', text, 'format raw only: there is no device model')
  refuseUnless(named.backendtype === undefined || named.backendtype === 'phy', text, 'backendtype=phy only')
  refuseUnless(named.devtype === undefined || named.devtype === 'disk', text, 'devtype=disk only')
  const number = vdev === undefined ? undefined : diskNumber(vdev)
  if (number === undefined) return refuse(text, 'vdev is xvda, xvdb, … with or without a partition')
  const mode = { r: 'r', ro: 'r', w: 'w', rw: 'w' }[access]
  if (mode === undefined) return refuse(text, 'access is r, ro, w or rw')
  const script = scriptPath(named.script ?? 'block')
  const type = isDevice(target!) ? 'phy' : 'file'
  return {
    kind: 'vbd',
    number,
    script,
    back: {
      [MARK.node]: MARK.value,
      script,
      params: target!,
      type,
      dev: vdev!,
      mode,
      'device-type': 'disk',
      removable: '0',
      bootable: '1',
    },
    front: { 'virtual-device': String(number), 'device-type': 'disk' },
  }
}

function parts(text: string): { named: Record<string, string>; positional: string[] } {
  const named: Record<string, string> = {}
  const positional: string[] = []
  for (const word of text.split(',').map((each) => each.trim())) {
    const [, key, value] = /^([a-z]+)=(.*)$/.exec(word) ?? []
    if (key === undefined) positional.push(word)
    else named[key] = value!
  }
  return { named, positional: text.trim() === '' ? [] : positional }
}

/** xen:docs/man/xen-vbd-interface.7.pandoc. */
function diskNumber(vdev: string): number | undefined {
  const [, letters, digits] = /^xvd([a-z]{1,2})([0-9]{0,2})$/.exec(vdev) ?? []
  if (letters === undefined) return undefined
  const disk = [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 96, 0) - 1
  const partition = Number(digits || '0')
  return disk < 16 && partition < 16 ? (202 << 8) | (disk << 4) | partition : (1 << 28) | (disk << 8) | partition
}

/** Of Xen's own prefix (xen:docs/misc/vtpm.txt and every toolstack: 00:16:3e). */
function randomMac(): string {
  const [a, b, c] = randomBytes(3)
  const hex = [a! & 0x7f, b!, c!].map((byte) => byte.toString(16).padStart(2, '0'))
  return `00:16:3e:${hex.join(':')}`
}

const scriptPath = (script: string): string => (script.startsWith('/') ? script : `${SCRIPTS}/${script}`)

function refuseUnless(fits: boolean, text: string, rule: string): void {
  if (!fits) refuse(text, rule)
}

function refuse(text: string, rule: string): never {
  throw new ConduitError(
    'CONFIG',
    `the launcher xen cannot give a domain the device ${JSON.stringify(text)}: ${rule}`,
    {
      hint: 'the launcher xl takes every device of xl.cfg(5)',
    },
  )
}
