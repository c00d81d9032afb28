// The one object that --json writes to stderr at the end.
import { EXIT, failureParts, Interrupted } from './exit-status.js'
import type { Traffic } from './traffic.js'

export interface Summary {
  /** Null where the command line did not make it that far. */
  readonly name: string | null
  readonly role: 'listen' | 'connect'
  readonly connections: number
  /** Of the peer that came last; null when none did. */
  readonly peerDomid: number | null
  readonly bytesIn: number
  readonly bytesOut: number
  /** From the start of the program's work to its end. */
  readonly seconds: number
  readonly wakeups: number
  readonly notifiesSent: number
  readonly spinHits: number
  readonly spinMisses: number
  readonly exitCode: number
  readonly signal: string | null
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

export interface SummaryParts {
  readonly name: string | null
  readonly role: 'listen' | 'connect'
  readonly seconds: number
  readonly exitCode: number
  readonly failure: unknown
}

export function summarize(traffic: Traffic, { name, role, seconds, exitCode, failure }: SummaryParts): Summary {
  const interrupted = failure instanceof Interrupted
  const failed = failure !== undefined && (exitCode === EXIT.FAILED || exitCode === EXIT.USAGE)
  const { code, message, hint } = failureParts(failure ?? '')
  return {
    name,
    role,
    connections: traffic.connections,
    peerDomid: traffic.lastPeer ?? null,
    ...traffic.totals(),
    seconds: Number(seconds.toFixed(6)),
    exitCode,
    signal: interrupted ? failure.signal : null,
    error: failed ? { code, message, hint: hint ?? null } : null,
  }
}
