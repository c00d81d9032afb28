// How a service is started, as the configuration says it: one shape for each kind of launcher.
import { z } from 'zod'
import { exactly, oneOf, quantity } from './config-faults.js'
import { memory } from './config-values.js'

const WORD = 'a string that is not empty and has no NUL in it'
const word = z
  .string({ error: () => WORD })
  .refine((given) => given !== '' && !given.includes('\0'), { error: () => WORD })
const words = (what: string) => z.array(word, { error: () => `a list of ${what}` }).max(256)
const PATH = 'an absolute path'
const absolutePath = word.refine((given) => given.startsWith('/'), { error: () => PATH })

/** Any program on this machine, in a session of its own. */
const processLauncher = exactly({
  /** A program on this machine. */
  kind: z.literal('process'),
  /** The program and its arguments. */
  command: words('a program and its arguments').min(1, 'a program and its arguments: at least one word'),
  /** Variables added to jitsud's. */
  env: z
    .record(
      z.string().regex(/^[^=\0]+$/, 'names of variables, without ='),
      z.string({ error: () => 'a string' }).regex(/^[^\0]*$/, 'a string without NUL'),
      { error: () => 'an object of strings: variables added to the environment of jitsud' },
    )
    .default({}),
  /** Where it runs; jitsud's own folder where it is left out. */
  cwd: absolutePath.optional(),
})

/** Keys of xl.cfg that have one of their own here, or are jitsud's to choose (xl.cfg(5)). */
const XL_OWN = [
  'name',
  'kernel',
  'ramdisk',
  'memory',
  'cmdline',
  'vif',
  'disk',
  'vcpus',
  'type',
  'on_poweroff',
  'on_reboot',
  'on_crash',
]
const XL_KEY = 'keys of xl.cfg(5) that have none of their own here'
const xlKey = z
  .string()
  .regex(/^[a-z_][a-z0-9_]*$/, XL_KEY)
  .refine((key) => !XL_OWN.includes(key), { error: () => XL_KEY })
const XL_VALUE = 'a string, a whole number, true, false, or a list of strings'
const xlText = z.string().regex(/^[^\0\n\r]*$/, 'one line without NUL')
const xlValue = z.union([xlText, z.int(), z.boolean(), z.array(xlText)], { error: () => XL_VALUE })

/** Of a Xen domain. */
const devices = {
  /** Network devices, as xl-network-configuration(5) writes them. */
  vif: z
    .array(xlText, { error: () => 'a list such as ["bridge=xenbr0"], see xl-network-configuration(5)' })
    .default([]),
  /** Disks, as xl-disk-configuration(5) writes them. */
  disk: z
    .array(xlText, { error: () => 'a list such as ["/root/disk.img,raw,xvda,rw"], see xl-disk-configuration(5)' })
    .default([]),
}

/** A Xen domain by `xl`, in dom0. */
const xlLauncher = exactly({
  /** A Xen domain, by xl. */
  kind: z.literal('xl'),
  /** File of the kernel. */
  kernel: absolutePath,
  /** File of the initial ramdisk. */
  ramdisk: absolutePath.optional(),
  /** With its unit; a bare number is MiB. */
  memory: memory.default(64),
  /** Virtual CPUs; xl's own default where it is left out. */
  vcpus: quantity('virtual CPUs', 1, 512).int().optional(),
  /** Kind of guest; xl's own default where it is left out. */
  type: z.enum(['pv', 'pvh', 'hvm'], { error: () => '"pv", "pvh" or "hvm"' }).optional(),
  /** The kernel's command line. */
  cmdline: xlText.optional(),
  ...devices,
  /** Other keys of xl.cfg(5). */
  extra: z.record(xlKey, xlValue, { error: () => XL_KEY }).default({}),
}).transform(({ memory: memoryMib, ...rest }) => ({
  ...rest,
  /** Of the domain, in MiB. */
  memoryMib,
}))

const KERNEL_LINE = 'one line of at most 1000 characters, without NUL'
const kernelLine = xlText.max(1000, KERNEL_LINE)
/** A word of a path in the store, and of a command line. */
const VCHAN_PORT = 'letters, digits, - and _, at most 64'

/** A Xen domain, built directly, in dom0. */
const xenLauncher = exactly({
  /** A Xen domain, built without xl. */
  kind: z.literal('xen'),
  /** File of the kernel: an ELF image with Xen's notes, or a Linux. */
  kernel: absolutePath,
  /** File of the initial ramdisk. */
  ramdisk: absolutePath.optional(),
  /** With its unit; a bare number is MiB. */
  memory: memory.default(64),
  /** Virtual CPUs. */
  vcpus: quantity('virtual CPUs', 1, 128).int().default(1),
  /** Kind of guest. */
  type: z.enum(['pv', 'pvh'], { error: () => '"pv" or "pvh"' }).default('pv'),
  /** The kernel's command line; `{domid}` in it becomes the domain's number. */
  cmdline: kernelLine.default(''),
  ...devices,
  /** A vchan to dom0 whose keys are there before the guest runs. */
  provisioned: exactly({
    /** Its port: the guest serves `data/vchan/0/PORT`. */
    port: z.string({ error: () => VCHAN_PORT }).regex(/^[A-Za-z0-9_-]{1,64}$/, VCHAN_PORT),
  }).optional(),
}).transform(({ memory: memoryMib, ...rest }) => ({
  ...rest,
  /** Of the domain, in MiB. */
  memoryMib,
}))

/** A domain that libvirt has a definition of. */
const libvirtLauncher = exactly({
  /** A domain of libvirt's. */
  kind: z.literal('libvirt'),
  /** As for `virsh -c`. */
  uri: word.default('xen:///system'),
  /** Its name or UUID there; the service's name where it is left out. */
  domain: word.regex(/^[^\s'"\\;]+$/, 'the name or UUID of a domain, without blanks and quotes').optional(),
})

/** One from outside this package: docs/launchers.md. */
const moduleLauncher = exactly({
  /** A launcher from outside. */
  kind: z.literal('module'),
  /** An absolute path, or a package that jitsud can import. */
  module: word,
  /** The launcher's own business. */
  options: z.unknown().optional(),
})

export const launcherSchema = z.discriminatedUnion(
  'kind',
  [processLauncher, xlLauncher, xenLauncher, libvirtLauncher, moduleLauncher],
  { error: oneOf('kind', '"process", "xl", "xen", "libvirt" or "module"') },
)

export type LauncherConfig = z.output<typeof launcherSchema>
export type ProcessLauncherConfig = z.output<typeof processLauncher>
export type XlLauncherConfig = z.output<typeof xlLauncher>
export type XenLauncherConfig = z.output<typeof xenLauncher>
export type LibvirtLauncherConfig = z.output<typeof libvirtLauncher>
export type ModuleLauncherConfig = z.output<typeof moduleLauncher>
