// The unikernel's images, built before they are shipped into the machine: anew when something they are made of is newer.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { PROJECT_IN_MACHINE, PROJECT_ROOT } from './project.js'

const SOURCES = join(PROJECT_ROOT, 'unikernel')
const IMAGES = join(SOURCES, 'build')

/** Where an application's image is in the machine. */
export const unikernelImage = (app: string): string => join(PROJECT_IN_MACHINE, 'unikernel/build', `conduit-${app}.elf`)

/** Paths of `conduit-*.elf`. @throws Error with the compiler's words. */
export function unikernelImages(): string[] {
  mkdirSync(IMAGES, { recursive: true })
  if (oldest(images()) < newestSource()) build()
  return images()
}

function build(): void {
  const { status, error, stderr } = spawnSync(process.execPath, [join(SOURCES, 'build.mjs')], { encoding: 'utf8' })
  if (status !== 0) throw new Error(error?.message ?? stderr)
}

const images = (): string[] =>
  readdirSync(IMAGES)
    .filter((name) => name.endsWith('.elf'))
    .sort()
    .map((name) => join(IMAGES, name))

/** 0 where an application has no image yet. */
function oldest(paths: readonly string[]): number {
  const missing = applications().some((name) => !paths.some((path) => basename(path) === `conduit-${name}.elf`))
  return missing ? 0 : Math.min(...paths.map((path) => statSync(path).mtimeMs))
}

const applications = (): string[] => readdirSync(join(SOURCES, 'apps')).map((name) => basename(name, '.c'))

function newestSource(): number {
  const below = readdirSync(SOURCES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(IMAGES))
    .map((entry) => join(entry.parentPath, entry.name))
  const read = [...below, join(PROJECT_ROOT, 'protocol', 'conduit-protocol.h')]
  return Math.max(...read.map((path) => statSync(path).mtimeMs))
}
