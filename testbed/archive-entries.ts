// Files of this machine as entries of an archive, read when they are written out.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CpioEntry } from './cpio.js'

/** A file to be packed: where it goes, and from where. */
export interface PackedFile {
  readonly path: string
  readonly source: string
  readonly executable?: boolean
}

export function fileEntry({ path, source, executable }: PackedFile): CpioEntry {
  return { path, kind: 'file', data: readFileSync(source), executable: executable ?? false }
}

export function textEntry(path: string, text: string, executable = false): CpioEntry {
  return { path, kind: 'file', data: Buffer.from(text), executable }
}

/** All files below a folder for which `wanted` holds, in the order of their names. */
export function filesBelow(folder: string, path: string, wanted: (name: string) => boolean = () => true): PackedFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => wanted(name) && statSync(join(folder, name)).isFile())
    .sort()
    .map((name) => ({ path: join(path, name), source: join(folder, name) }))
}
