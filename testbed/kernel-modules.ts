// Kernel modules with what they need, in an order in which they can be loaded one by one: no module tools in the machine.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Xen's devices for programs, and the virtio devices of dom0, which the architecture's own module finds. */
export const MODULES = [
  'xen-evtchn',
  'xen-gntdev',
  'xen-gntalloc',
  'xenfs',
  'xen-privcmd',
  'virtio_blk',
  'virtio_console',
]

/** Network and disks between domains: there, and loaded by whoever wants them (/lib/testbed/device-modules). */
export const DEVICE_MODULES = ['xen-netback', 'xen-blkback', 'xen-netfront', 'xen-blkfront', 'loop']

/** A module's file names spell `-` and `_` as they like; the kernel knows one. */
function moduleName(name: string): string {
  return basename(name, '.ko').replaceAll('-', '_')
}

/** Names in the `depends=` of a module's .modinfo section. */
export function moduleDependencies(file: Buffer): string[] {
  const at = file.indexOf('\0depends=')
  if (at < 0) return []
  const from = at + '\0depends='.length
  const text = file.toString('latin1', from, file.indexOf(0, from))
  return text.split(',').filter((name) => name !== '')
}

/** Files below `folder`, dependencies first. What is no module is built in, or absent: then what needs it fails aloud. */
export function moduleFiles(folder: string, names: readonly string[]): string[] {
  const files = new Map<string, string>()
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.ko')) files.set(moduleName(file), join(folder, file))
  }
  const ordered = new Set<string>()
  const add = (name: string): void => {
    const file = files.get(moduleName(name))
    if (file === undefined || ordered.has(file)) return
    for (const needed of moduleDependencies(readFileSync(file))) add(needed)
    ordered.add(file)
  }
  for (const name of names) add(name)
  return [...ordered]
}
