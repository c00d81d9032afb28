// What is loaded of an ELF file, without the ELF file: an arm64 Image has its header in its code (booting.rst).

/** Offsets of Elf64_Ehdr and Elf64_Phdr. */
const E_PHOFF = 32
const P_OFFSET = 8
const P_FILESZ = 32

/** @param {Buffer} elf a file whose first segment is its only PT_LOAD @returns {Buffer} */
export function flatImage(elf) {
  const header = Number(elf.readBigUInt64LE(E_PHOFF))
  const offset = Number(elf.readBigUInt64LE(header + P_OFFSET))
  return elf.subarray(offset, offset + Number(elf.readBigUInt64LE(header + P_FILESZ)))
}
