// What the kernel says of a process in /proc/PID/stat (proc_pid_stat(5)).

export interface ProcStat {
  readonly pid: number
  /** One letter: Z is dead and not yet waited for, X dead. */
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Clock ticks since the machine came up: with the pid it names a process, for as long as the machine is up. */
  readonly startTicks: number
}

/** Fields are counted from the last `)`: the program's name before it may have blanks and brackets in it. */
export function parseProcStat(text: string): ProcStat | undefined {
  const pid = Number(/^[0-9]+/.exec(text)?.[0] ?? Number.NaN)
  const [state, ...numbers] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [parent, group, session] = numbers.slice(0, 3).map(Number)
  const startTicks = Number(numbers[18])
  const known = [pid, parent, group, session, startTicks]
  if (state === undefined || !known.every(Number.isSafeInteger)) return undefined
  return { pid, state, parent: parent!, group: group!, session: session!, startTicks }
}
