// `conduit-cat ADDRESS` where the address is that of a TCP or unix socket, of TLS, or of a service that may be anywhere: a bridge between
// it and stdin and stdout, or a command.
import { isConduitError } from '../errors.js'
import { parseTarget } from '../resolver/target.js'
import { bridge, touch } from './bridge.js'
import type { OpenedAddress } from './bridge-end.js'
import { Diagnostics } from './diagnostics.js'
import { catchInterruption } from './interruption.js'
import { formatMillis } from './quantity.js'
import { usageErrorOf } from './usage-error.js'

export interface FarOptions {
  readonly command: string | undefined
  readonly waitMs: number | undefined
  readonly handshakeOnly: boolean
  readonly verbose: boolean
}

/** What is about a host or a socket, were it wrong in all else: a scheme other than vchan's, a dot in the name, an IPv6 address. */
const FAR = /^(?!vchan:)(?:[a-z][a-z0-9+.-]*:\/\/|[^:]*\.|\[)/i

/**
 * Undefined where it is a conduit's by its text, or none at all: whose errors are conduits'.
 * @throws UsageError for a host or socket that is spelled wrongly
 */
export function farAddress(address: string): OpenedAddress | undefined {
  try {
    const target = parseTarget(address)
    if ('endpoint' in target && target.endpoint.kind.startsWith('vchan')) return undefined
    return { kind: 'dial', address }
  } catch (error) {
    if (!isConduitError(error) || !FAR.test(address)) return undefined
    throw usageErrorOf(error)
  }
}

/** Resolves with the exit status: a command's own, else 0. @throws ConduitError as bridge(); the signal's reason */
export async function catFar(right: OpenedAddress, options: FarOptions): Promise<number> {
  const { command, waitMs: timeoutMs, handshakeOnly, verbose } = options
  const diagnostics = new Diagnostics(process.stderr, { verbose })
  const signal = catchInterruption()
  if (handshakeOnly) {
    const startMs = performance.now()
    const status = await touch(right, { signal, timeoutMs })
    diagnostics.tell(`connected in ${formatMillis(performance.now() - startMs)}`)
    return status
  }
  const left: OpenedAddress = command === undefined ? { kind: 'stdio' } : { kind: 'exec', command }
  // Not the command first: one that cannot be connected is not run. The far side is the bridge's left end here.
  return bridge({ left: right, right: left, timeoutMs, diagnostics, signal })
}
