// Names for what a process leaves in the store for as long as it lives, by which its successors can tell that it lives no more.
// Pid and start time name a process within one pid namespace, as long as the domain is up: of others nothing is known.
import { randomBytes } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { processStat } from '../process-stat.js'

const MARK = /^([1-9][0-9]{0,9})-([0-9]{1,20})-([0-9]{1,20})-[0-9a-f]{8}$/

/** A mark of this process's own, another one each time. */
export function freshMark(): string {
  const random = randomBytes(4).toString('hex')
  const started = processStat('self')?.startTicks
  // Without /proc nobody can tell: then it stays until somebody removes it.
  return started === undefined ? random : `${process.pid}-${started}-${namespace()}-${random}`
}

/** Whether whoever made the mark has certainly ended. */
export function isDeadMark(mark: string): boolean {
  const [, pid, started, within] = MARK.exec(mark) ?? []
  if (pid === undefined || within !== namespace()) return false
  return processStat(Number(pid))?.startTicks !== Number(started)
}

let known: string | undefined

/** The inode of this process's pid namespace (pid_namespaces(7)). */
function namespace(): string {
  known ??= /[0-9]+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  return known
}
