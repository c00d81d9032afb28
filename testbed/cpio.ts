// Archives that Linux unpacks into its first root file system: cpio, format "newc" (Documentation/driver-api/early-userspace/
// buffer-format.rst). The same entries make the same bytes, and archives may follow one another in one file.

/** One entry; `path` without a leading slash. Folders above it are made by the writer. */
export type CpioEntry =
  | { readonly path: string; readonly kind: 'file'; readonly data: Uint8Array; readonly executable: boolean }
  | { readonly path: string; readonly kind: 'link'; readonly target: string }
  | { readonly path: string; readonly kind: 'folder' }

/** A link's target and a file's name may be that long (PATH_MAX of Linux, with its end). */
const PATH_BYTES_MAX = 4095
/** The size field is eight hexadecimal digits, and Linux reads them as 32 bits. */
const DATA_BYTES_MAX = 0xffffffff

const MODE = { folder: 0o040755, link: 0o120777, executable: 0o100755, file: 0o100644 }

/** The archive in pieces, each a multiple of four bytes. Entries come in the order given, each folder before what is in it. */
export function* cpioArchive(entries: Iterable<CpioEntry>): Generator<Uint8Array, void, void> {
  const seen = new Set<string>()
  let inode = 0
  for (const entry of entries) {
    checkPath(entry.path)
    for (const folder of missingFolders(entry.path, seen)) {
      inode += 1
      yield* record({ inode, name: folder, mode: MODE.folder, data: new Uint8Array() })
    }
    if (seen.has(entry.path)) {
      if (entry.kind === 'folder') continue
      throw new RangeError(`two entries for ${entry.path}`)
    }
    seen.add(entry.path)
    inode += 1
    yield* record({ inode, name: entry.path, ...content(entry) })
  }
  yield* record({ inode: 0, name: 'TRAILER!!!', mode: 0, data: new Uint8Array() })
}

function checkPath(path: string): void {
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..') || path.includes('\0')) {
    throw new RangeError(`no path for an archive: ${JSON.stringify(path)}`)
  }
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw new RangeError(`path of over ${PATH_BYTES_MAX} bytes: ${path}`)
}

function missingFolders(path: string, seen: Set<string>): string[] {
  const parts = path.split('/').slice(0, -1)
  const missing = parts.map((_, index) => parts.slice(0, index + 1).join('/')).filter((folder) => !seen.has(folder))
  for (const folder of missing) seen.add(folder)
  return missing
}

function content(entry: CpioEntry): { mode: number; data: Uint8Array } {
  switch (entry.kind) {
    case 'folder':
      return { mode: MODE.folder, data: new Uint8Array() }
    case 'link':
      return { mode: MODE.link, data: Buffer.from(entry.target) }
    case 'file':
      if (entry.data.length > DATA_BYTES_MAX) throw new RangeError(`4 GiB or more: ${entry.path}`)
      return { mode: entry.executable ? MODE.executable : MODE.file, data: entry.data }
  }
}

interface CpioRecord {
  readonly inode: number
  readonly name: string
  readonly mode: number
  readonly data: Uint8Array
}

/** Owned by root, without times: what is unpacked is the same whoever packed it, and when. */
function* record({ inode, name, mode, data }: CpioRecord): Generator<Uint8Array> {
  const links = (mode & 0o170000) === 0o040000 ? 2 : 1
  const nameBytes = Buffer.byteLength(name) + 1
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, nameBytes, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`
  yield padded(Buffer.from(header))
  if (data.length > 0) yield data
  const rest = -data.length & 3
  if (rest > 0) yield Buffer.alloc(rest)
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
}
