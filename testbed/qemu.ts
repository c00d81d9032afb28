// How QEMU starts Xen: without firmware's boot loader. On x86-64 it is a multiboot kernel with dom0's kernel and file system as
// modules; on arm64 QEMU's guest-loader puts both into memory and into the device tree that Xen reads. All values were found
// by trying on QEMU 7.2 with its software emulation (TCG); docs/testbed.md says what breaks without.
import type { Architecture } from './architecture.js'

/** Which xenstored dom0 starts. */
export type XenstoredKind = 'c' | 'ocaml'

/** What QEMU is to be started with. */
export interface QemuOptions {
  readonly architecture: Architecture
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

/** Where dom0 finds the kernel and the root file system for guests: the files themselves, as disks. */
export const GUEST_KERNEL = '/dev/vda'
export const GUEST_ROOT = '/dev/vdb'

interface Loaded {
  readonly xen: string
  readonly kernel: string
  readonly root: string
  readonly commandLine: string
}

interface Board {
  readonly cpu: string
  readonly machine: string
  /** What Xen's console is called there. */
  readonly console: string
  /** How its virtio devices end: on PCI, or each at an address of its own. */
  readonly virtio: 'pci' | 'device'
  /** The arguments that put dom0's kernel and file system where Xen looks for them. */
  dom0(loaded: Loaded): string[]
}

const BOARDS: Record<Architecture, Board> = {
  x86_64: {
    // SMAP kills a PV dom0 at its first return to user space, RDTSCP a PVH guest, XSAVE and AVX programs at random.
    cpu: 'max,-smap,-rdtscp,-xsave,-avx,-avx2,-fma',
    machine: 'q35',
    console: 'console=com1 com1=115200,8n1',
    virtio: 'pci',
    // QEMU splits at commas; a comma within is written twice.
    dom0: ({ kernel, root, commandLine }) => ['-initrd', `${escaped(kernel)} ${commandLine},${escaped(root)}`],
  },
  arm64: {
    cpu: 'cortex-a57',
    // The hypervisor's exception level, and an interrupt controller that Xen can virtualise.
    machine: 'virt,virtualization=on,gic-version=3',
    console: 'console=dtuart',
    virtio: 'device',
    dom0: ({ kernel, root, commandLine }) => [
      ...['-device', `guest-loader,addr=${ARM64_KERNEL},kernel=${escaped(kernel)},bootargs=${escaped(commandLine)}`],
      ...['-device', `guest-loader,addr=${ARM64_ROOT},initrd=${escaped(root)}`],
    ],
  },
}

/** Above Xen and the device tree at the start of memory, and above the kernel's 64 MiB. */
const ARM64_KERNEL = '0x49000000'
const ARM64_ROOT = '0x4d000000'

export function qemuArguments(options: QemuOptions): string[] {
  const board = BOARDS[options.architecture]
  const xen = `${board.console} loglvl=warning guest_loglvl=warning dom0_mem=${DOM0_MEMORY}M,max:${DOM0_MEMORY}M dom0_max_vcpus=1`
  const commandLine = `console=hvc0 quiet panic=1 rdinit=/sbin/dom0-init conduit.xenstored=${options.xenstored}`
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', board.cpu, '-M', board.machine, '-smp', '2'],
    ...['-m', String(MACHINE_MEMORY), '-nodefaults', '-no-reboot', '-display', 'none', '-net', 'none'],
    ...['-kernel', options.xen, '-append', xen],
    ...board.dom0({ ...options, commandLine }),
    ...disks(options, board),
    ...['-chardev', `file,id=console,path=${escaped(options.consoleLog)}`, '-serial', 'chardev:console'],
    ...['-device', `virtio-serial-${board.virtio}`],
    ...['-chardev', `socket,id=agent,path=${escaped(options.agentSocket)}`],
    ...['-device', 'virtserialport,chardev=agent,name=conduit.agent'],
    ...(options.shell ? ['-chardev', 'stdio,id=shell,signal=off', '-device', 'virtconsole,chardev=shell'] : []),
  ]
}

/** In the order in which dom0 finds them: on PCI the first first, of devices with addresses of their own the last. */
function disks({ kernel, root }: QemuOptions, board: Board): string[] {
  const found = [disk('kernel', kernel, board), disk('root', root, board)]
  return (board.virtio === 'pci' ? found : found.reverse()).flat()
}

function disk(id: string, path: string, board: Board): string[] {
  const drive = `file=${escaped(path)},if=none,id=${id},format=raw,readonly=on`
  return ['-drive', drive, '-device', `virtio-blk-${board.virtio},drive=${id}`]
}

function escaped(path: string): string {
  return path.replaceAll(',', ',,')
}
