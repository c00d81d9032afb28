// How QEMU starts Xen: without firmware's boot loader, as a multiboot kernel with dom0's kernel and file system as modules.
// All values were found by trying on QEMU 7.2 with its software emulation (TCG); docs/testbed.md says what breaks without.

/** Which xenstored dom0 starts. */
export type XenstoredKind = 'c' | 'ocaml'

/** What QEMU is to be started with. */
export interface QemuOptions {
  readonly xen: string
  readonly kernel: string
  /** The first root file system of dom0 and of guests. */
  readonly root: string
  /** Unix socket that listens for the agent of dom0. */
  readonly agentSocket: string
  /** The console of Xen and dom0 goes into this file. */
  readonly consoleLog: string
  readonly xenstored: XenstoredKind
  /** A second console of dom0 on QEMU's own stdin and stdout. */
  readonly shell: boolean
}

/** Of the whole machine, of dom0 at its start; guests get the rest. In MiB. */
export const MACHINE_MEMORY = 4096
export const DOM0_MEMORY = 1024

/** SMAP kills a PV dom0 at its first return to user space, RDTSCP a PVH guest, XSAVE and AVX programs at random. */
const CPU = 'max,-smap,-rdtscp,-xsave,-avx,-avx2,-fma'

/** Where dom0 finds the kernel and the root file system for guests: the files themselves, as disks. */
export const GUEST_KERNEL = '/dev/vda'
export const GUEST_ROOT = '/dev/vdb'

export function qemuArguments(options: QemuOptions): string[] {
  const xen = `console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning dom0_mem=${DOM0_MEMORY}M,max:${DOM0_MEMORY}M dom0_max_vcpus=1`
  const dom0 = `console=hvc0 quiet panic=1 rdinit=/sbin/dom0-init conduit.xenstored=${options.xenstored}`
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', CPU, '-M', 'q35', '-smp', '2', '-m', String(MACHINE_MEMORY)],
    ...['-nodefaults', '-no-reboot', '-display', 'none', '-net', 'none'],
    ...['-kernel', options.xen, '-append', xen],
    // QEMU splits at commas; a comma within is written twice.
    ...['-initrd', `${escaped(options.kernel)} ${dom0},${escaped(options.root)}`],
    ...disk('kernel', options.kernel),
    ...disk('root', options.root),
    ...['-chardev', `file,id=console,path=${escaped(options.consoleLog)}`, '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=agent,path=${escaped(options.agentSocket)}`],
    ...['-device', 'virtserialport,chardev=agent,name=conduit.agent'],
    ...(options.shell ? ['-chardev', 'stdio,id=shell,signal=off', '-device', 'virtconsole,chardev=shell'] : []),
  ]
}

function disk(id: string, path: string): string[] {
  const drive = `file=${escaped(path)},if=none,id=${id},format=raw,readonly=on`
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=${id}`]
}

function escaped(path: string): string {
  return path.replaceAll(',', ',,')
}
