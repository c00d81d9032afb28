// Whether a process belongs to those that a launcher started: by its process group and its session, which children inherit. Its
// ancestors do not count: the kernel gives a process whose parent has died another one.
import { processStat } from '../../process-stat.js'

/** The leader itself, or one of its process group or its session. */
export function belongsTo(pid: number, leader: number): boolean {
  if (pid === leader) return true
  const stat = processStat(pid)
  return stat !== undefined && (stat.group === leader || stat.session === leader)
}
