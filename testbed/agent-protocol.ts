// The lines between this side and the agent in dom0 or in a guest (testbed/inside/agent.c): pure.

/** What the agent says. */
export type AgentReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'output'; readonly id: number; readonly stream: 'stdout' | 'stderr'; readonly bytes: Buffer }
  | { readonly kind: 'exit'; readonly id: number; readonly status: number }

/** Runs `sh -c command` as number `id`. */
export function startLine(id: number, command: string): string {
  return `start ${id} ${Buffer.from(command).toString('base64')}\n`
}

/** Sends the signal with that number to the whole session that the command leads. */
export function signalLine(id: number, signal: number): string {
  return `signal ${id} ${signal}\n`
}

/** A line of the agent without its end; undefined for one that is not the agent's: a kernel may print in between. */
export function parseReport(line: string): AgentReport | undefined {
  if (line === 'ready') return { kind: 'ready' }
  const output = /^(out|err) (\d+) ([A-Za-z0-9+/]*=*)$/.exec(line)
  if (output !== null) {
    const stream = output[1] === 'out' ? 'stdout' : 'stderr'
    return { kind: 'output', id: Number(output[2]), stream, bytes: Buffer.from(output[3]!, 'base64') }
  }
  const exit = /^exit (\d+) (\d+)$/.exec(line)
  if (exit !== null) return { kind: 'exit', id: Number(exit[1]), status: Number(exit[2]) }
  return undefined
}
