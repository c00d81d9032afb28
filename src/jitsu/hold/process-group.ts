// Whether a process belongs to those that a launcher started: by its process group and its session, which children inherit. Its
// ancestors do not count: the kernel gives a process whose parent has died another one.
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly group: number
  readonly session: number
}

/** From /proc/PID/stat (proc(5)); undefined for a process that is not there. */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return undefined
  }
}

/** A program chooses its own name, which may hold spaces and parentheses: fields count from the last of those. */
export function parseStat(text: string): ProcessIdentity | undefined {
  const [state, parent, group, session] = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(' ')
  if (state === undefined || parent === undefined) return undefined
  const identity = { group: Number(group), session: Number(session) }
  return identity.group > 0 && identity.session > 0 ? identity : undefined
}

/** The leader itself, or one of its process group or its session. */
export function belongsTo(pid: number, leader: number): boolean {
  if (pid === leader) return true
  const identity = processIdentity(pid)
  return identity !== undefined && (identity.group === leader || identity.session === leader)
}
