// An ELF image cut off after the last byte that one of its program headers names: section headers are for linkers and
// debuggers, and Xen's loader does without (xen:xen/common/libelf). Fields: the System V ABI's Elf64_Ehdr and Elf64_Phdr.
const SECTION_HEADERS = { offset: 0x28, entryCount: 0x3c, nameIndex: 0x3e }
const PROGRAM_HEADERS = { offset: 0x20, entryBytes: 0x36, entryCount: 0x38 }
const SEGMENT = { offset: 0x08, fileBytes: 0x20 }

/** @param {Buffer} elf a little-endian ELF64 file */
export function trimElf(elf) {
  const first = Number(elf.readBigUInt64LE(PROGRAM_HEADERS.offset))
  const [size, count] = [PROGRAM_HEADERS.entryBytes, PROGRAM_HEADERS.entryCount].map((at) => elf.readUInt16LE(at))
  const ends = Array.from({ length: count }, (_, index) => {
    const at = first + index * size
    return Number(elf.readBigUInt64LE(at + SEGMENT.offset) + elf.readBigUInt64LE(at + SEGMENT.fileBytes))
  })
  const image = Buffer.from(elf.subarray(0, Math.max(first + size * count, ...ends)))
  image.writeBigUInt64LE(0n, SECTION_HEADERS.offset)
  image.writeUInt16LE(0, SECTION_HEADERS.entryCount)
  image.writeUInt16LE(0, SECTION_HEADERS.nameIndex)
  return image
}
