// What a process has open, as the kernel lists it.
import { readdirSync, readlinkSync } from 'node:fs'

/** Each descriptor's target, by number; the one that lists them is not among them. */
export function openFiles(pid: number): Map<number, string> {
  const found = new Map<number, string>()
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      found.set(Number(name), readlinkSync(`/proc/${pid}/fd/${name}`))
    } catch {
      // The listing's own.
    }
  }
  return found
}
