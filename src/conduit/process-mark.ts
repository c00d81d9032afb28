// Names for what a process leaves in the store for as long as it lives, by which its successors can tell that it lives no more.
// A worker thread counts for itself: it can end alone. Thread id and start time name one within one pid namespace, as long as
// the domain is up: of others nothing is known.
import { randomBytes } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { processStat } from '../process-stat.js'

const MARK = /^([1-9][0-9]{0,9})-([0-9]{1,20})-([0-9]{1,20})-[0-9a-f]{8}$/

/** A mark of this thread's own, another one each time. */
export function freshMark(): string {
  const random = randomBytes(4).toString('hex')
  const self = processStat('thread-self')
  // Without /proc nobody can tell: then it stays until somebody removes it.
  return self === undefined ? random : `${self.pid}-${self.startTicks}-${namespace()}-${random}`
}

/** Whether whoever made the mark has certainly ended. */
export function isDeadMark(mark: string): boolean {
  const [, id, started, within] = MARK.exec(mark) ?? []
  if (id === undefined || within !== namespace()) return false
  const stat = processStat(Number(id))
  if (stat === undefined) return !mayBeHidden(Number(id))
  // Nobody may ever wait for a process whose parent is careless: it is dead all the same.
  return stat.startTicks !== Number(started) || stat.state === 'Z' || stat.state === 'X'
}

/** The process that made the mark, as it is called in its own pid namespace; undefined where the mark says nothing of it. */
export const markedProcess = (mark: string): number | undefined => {
  const id = MARK.exec(mark)?.[1]
  return id === undefined ? undefined : Number(id)
}

/** Whether somebody is there whom /proc does not show to this user (`hidepid`, proc(5)). */
function mayBeHidden(id: number): boolean {
  try {
    return process.kill(id, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

let known: string | undefined

/** The inode of this process's pid namespace (pid_namespaces(7)). */
function namespace(): string {
  known ??= /[0-9]+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  return known
}
