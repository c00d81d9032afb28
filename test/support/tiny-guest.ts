// The smallest guests: ELF images that Xen boots as PV and as PVH, of a dozen instructions. One rests for ever, one ends itself.
// For tests of whatever builds and destroys domains; they speak with nobody.

/** Where the image lies, virtual and physical. */
const BASE = 0x100000n
/** sched_op and its commands, reasons of an end (xen/include/public/{xen,sched}.h). */
const SCHED_OP = 29
const SCHEDOP = { block: 1, shutdown: 2 } as const
export const SHUTDOWN_REASONS = { poweroff: 0, reboot: 1, crash: 3 } as const

/** ELF notes by which a kernel says how it is booted (xen/include/public/elfnote.h). */
const NOTE = {
  entry: 1,
  virtBase: 3,
  paddrOffset: 4,
  xenVersion: 5,
  guestOs: 6,
  loader: 8,
  paeMode: 9,
  phys32Entry: 18,
} as const

const HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56

export interface TinyGuestOptions {
  /** Ends with that reason; rests for ever where it is left out. */
  readonly ends?: keyof typeof SHUTDOWN_REASONS
}

/** The bytes of a kernel's file. */
export function tinyGuest({ ends }: TinyGuestOptions = {}): Buffer {
  const notesAt = HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES
  const length = notes(0n, 0n).length
  const codeAt = BigInt(notesAt + length)
  const reason = int32(ends === undefined ? 0 : SHUTDOWN_REASONS[ends])
  const argument = Number(BASE + codeAt)
  const command = ends === undefined ? SCHEDOP.block : SCHEDOP.shutdown
  const pv = code64(command, argument)
  const pvEntry = BASE + codeAt + BigInt(reason.length)
  const pvhEntry = pvEntry + BigInt(pv.length)
  const body = Buffer.concat([notes(pvEntry, pvhEntry), reason, pv, code32(command, argument)])
  const size = BigInt(notesAt + body.length)
  return Buffer.concat([
    elfHeader(pvEntry),
    programHeader({ type: 1, flags: 7, offset: 0n, size, align: 4096n }),
    programHeader({ type: 4, flags: 4, offset: BigInt(notesAt), size: BigInt(length), align: 4n }),
    body,
  ])
}

/** mov $sched_op,%eax; mov $command,%edi; mov $argument,%esi; syscall; and again. */
function code64(command: number, argument: number): Buffer {
  const body = [0xb8, ...int32(SCHED_OP), 0xbf, ...int32(command), 0xbe, ...int32(argument), 0x0f, 0x05]
  return Buffer.from([...body, 0xeb, 256 - body.length - 2])
}

/**
 * cmpl $0,48(%ebx): without a memory map (xen/include/public/arch-x86/hvm/start_info.h) an undefined instruction, and so a crash. Then
 * mov $sched_op,%eax; mov $command,%ebx; mov $argument,%ecx; vmmcall (AMD's, which QEMU has); and again.
 */
function code32(command: number, argument: number): Buffer {
  const check = [0x83, 0x7b, 48, 0, 0x75, 2, 0x0f, 0x0b]
  const body = [0xb8, ...int32(SCHED_OP), 0xbb, ...int32(command), 0xb9, ...int32(argument), 0x0f, 0x01, 0xd9]
  return Buffer.from([...check, ...body, 0xeb, 256 - body.length - 2])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

function notes(pvEntry: bigint, pvhEntry: bigint): Buffer {
  const text = (value: string): Buffer => Buffer.from(`${value}\0`)
  return Buffer.concat([
    note(NOTE.xenVersion, text('xen-3.0')),
    note(NOTE.guestOs, text('tiny')),
    note(NOTE.loader, text('generic')),
    note(NOTE.entry, int64(pvEntry)),
    note(NOTE.virtBase, int64(0n)),
    note(NOTE.paddrOffset, int64(0n)),
    note(NOTE.paeMode, text('yes')),
    note(NOTE.phys32Entry, int32(Number(pvhEntry))),
  ])
}

function note(type: number, value: Buffer): Buffer {
  const padding = Buffer.alloc(-value.length & 3)
  return Buffer.concat([int32(4), int32(value.length), int32(type), Buffer.from('Xen\0'), value, padding])
}

function elfHeader(entry: bigint): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  // 64 bits, little-endian, ELF's first version.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  // ET_EXEC, EM_X86_64.
  header.writeUInt16LE(2, 16)
  header.writeUInt16LE(62, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(entry, 24)
  header.writeBigUInt64LE(BigInt(HEADER_BYTES), 32)
  header.writeUInt16LE(HEADER_BYTES, 52)
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 54)
  header.writeUInt16LE(2, 56)
  return header
}

interface Segment {
  readonly type: number
  readonly flags: number
  readonly offset: bigint
  readonly size: bigint
  readonly align: bigint
}

function programHeader({ type, flags, offset, size, align }: Segment): Buffer {
  const address = BASE + offset
  return Buffer.concat([int32(type), int32(flags), ...[offset, address, address, size, size, align].map(int64)])
}
