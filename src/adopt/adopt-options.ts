// What adoptConnections() takes and how it is checked.
import type { Server, Socket, SocketConstructorOpts } from 'node:net'

/** Takes each connection; or a server, which gets it as a `connection` event: of node:net, node:http, node:https, node:tls. */
export type AdoptTarget = ((socket: Socket) => void) | Pick<Server, 'emit'>

/** What adoptConnections() takes beside the listener or server. What is not said is as the server has it. */
export interface AdoptOptions {
  /** Stops asking; closes what it returned once it did. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for jitsud to answer; 10,000 by default, 0 for no limit. */
  readonly timeoutMs?: number | undefined
  /** Where to ask; `$CONDUIT_HANDOVER`, which jitsud sets, by default. */
  readonly path?: string | undefined
  /** Keep the writable side open when the client ends. */
  readonly allowHalfOpen?: boolean | undefined
  /** Do not read before somebody asks. */
  readonly pauseOnConnect?: boolean | undefined
  /** Send small writes at once. */
  readonly noDelay?: boolean | undefined
  /** Ask idle clients whether they are still there. */
  readonly keepAlive?: boolean | undefined
  /** Milliseconds of silence before that. */
  readonly keepAliveInitialDelay?: number | undefined
}

/** Options of the sockets alone, complete. */
export interface SocketBehaviour {
  readonly socket: SocketConstructorOpts
  readonly pauseOnConnect: boolean
  readonly noDelay: boolean
  readonly keepAlive: boolean
  readonly keepAliveInitialDelay: number
}

const FLAGS = ['allowHalfOpen', 'pauseOnConnect', 'noDelay', 'keepAlive'] as const
/** Longest delay of a timer (lib/internal/timers.js, TIMEOUT_MAX). */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

/** @throws TypeError, RangeError */
export function checkAdoptArguments(target: unknown, options: AdoptOptions): void {
  const emits =
    typeof target === 'object' && target !== null && typeof (target as { emit?: unknown }).emit === 'function'
  if (typeof target !== 'function' && !emits) throw new TypeError('connections go to a function or to a server')
  for (const flag of FLAGS) {
    if (!['undefined', 'boolean'].includes(typeof options[flag])) throw new TypeError(`${flag} is true or false`)
  }
  if (options.path !== undefined && typeof options.path !== 'string') throw new TypeError('path is a string')
  for (const name of ['timeoutMs', 'keepAliveInitialDelay'] as const) {
    const value = options[name]
    if (value === undefined) continue
    if (typeof value !== 'number') throw new TypeError(`${name} is a number, not ${typeof value}`)
    if (!(value >= 0 && value <= TIMEOUT_MS_MAX))
      throw new RangeError(`${name} is 0 to ${TIMEOUT_MS_MAX}, not ${value}`)
  }
}

/** As net.Server makes its sockets, from what it was told (lib/net.js, onconnection). */
export function socketBehaviour(target: AdoptTarget, options: AdoptOptions): SocketBehaviour {
  // Functions have none of these.
  const server = target as Partial<SocketBehaviour> & { allowHalfOpen?: boolean; highWaterMark?: number }
  const highWaterMark = server.highWaterMark
  return {
    socket: {
      allowHalfOpen: options.allowHalfOpen ?? server.allowHalfOpen ?? false,
      ...(highWaterMark === undefined
        ? {}
        : { readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark }),
    } as SocketConstructorOpts,
    pauseOnConnect: options.pauseOnConnect ?? server.pauseOnConnect ?? false,
    noDelay: options.noDelay ?? server.noDelay ?? false,
    keepAlive: options.keepAlive ?? server.keepAlive ?? false,
    // The server keeps seconds.
    keepAliveInitialDelay: options.keepAliveInitialDelay ?? 1000 * (server.keepAliveInitialDelay ?? 0),
  }
}
