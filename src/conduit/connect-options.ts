// What connect() takes and how it is checked: mistakes of the program are TypeError and RangeError, an address that
// cannot be one is a ConduitError, since addresses often come from outside.
import {
  type Address,
  type ConduitLayout,
  type ConduitMode,
  NAME_RULE,
  parseAddress,
  parseName,
  RING_BYTES_MAX,
  RING_BYTES_MIN,
} from '../../protocol/conduit.js'
import { ConduitError } from '../errors.js'
import { type ConduitMessageSocketOptions, checkMessageOptions } from '../vchan/message-socket.js'
import { type ConduitSocketOptions, checkSocketOptions } from '../vchan/socket.js'

interface RendezvousOptions {
  /** Rejects, or destroys the socket, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for everything until the socket stands; 10,000 by default, 0 for no limit. */
  readonly timeoutMs?: number | undefined
  /** Wait until somebody holds the name, instead of ENOENT at once. */
  readonly wait?: boolean | undefined
  /**
   * `'flat'`: reach a server of ocaml-conduit, or one that listens with the same option. It trusts every domain: names are
   * whatever somebody claims, and /conduit must be world-writable (`xenstore-chmod /conduit b0`). Streams only. Without a port
   * in the address one is made up, for servers that take every port; a server that takes nobody lets the time limit pass.
   */
  readonly layout?: ConduitLayout | undefined
  /** With the flat layout: the name that this client claims while it connects; one made up by default. */
  readonly localName?: string | undefined
  /** Bytes wanted for each ring, 1,024 to 1,048,576; the server's choice by default. */
  readonly ringBytes?: number | undefined
  /** Microseconds to spin before sleeping: 0 never, undefined as experience tells. */
  readonly spinMicros?: number | undefined
}

type Behaviour<Options> = Omit<
  Options,
  'name' | 'port' | 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort' | 'signal'
>

/** What connect() takes for a {@link ConduitSocket}. */
export interface StreamConnectOptions extends RendezvousOptions, Behaviour<ConduitSocketOptions> {
  /** A stream of bytes. */
  readonly mode?: 'stream' | undefined
}

/** What connect() takes for a {@link ConduitMessageSocket}: `mode: 'message'`, which the server must have as well. */
export interface MessageConnectOptions extends RendezvousOptions, Behaviour<ConduitMessageSocketOptions> {
  /** Messages, each delivered whole. */
  readonly mode: 'message'
}

/** What connect() takes; `mode` decides which class of socket it resolves with. */
export type ConnectOptions = StreamConnectOptions | MessageConnectOptions

/** @throws TypeError when it is no string; ConduitError CONDUIT_NAME, EINVAL. */
export function addressOf(text: unknown): Address {
  if (typeof text !== 'string') throw new TypeError(`an address is a string, not ${typeof text}`)
  const address = parseAddress(text)
  if (!('problem' in address)) return address
  const { code, problem, hint } = address
  throw new ConduitError(code, problem, { endpoint: text.slice(0, 256), hint })
}

/** How long connecting may take unless it is said otherwise. */
export const CONNECT_TIMEOUT_MS = 10_000
/** Longest delay of a timer: node fires a longer one at once (lib/internal/timers.js, TIMEOUT_MAX). */
export const TIMEOUT_MS_MAX = 2 ** 31 - 1

/** @throws TypeError, RangeError */
export function checkMode(mode: unknown): ConduitMode {
  if (mode === undefined || mode === 'stream') return 'stream'
  if (mode === 'message') return 'message'
  throw new TypeError(`mode is 'stream' or 'message', not ${String(mode)}`)
}

/** @throws TypeError also for messages, which the flat layout cannot agree on; ConduitError CONDUIT_NAME for a `localName`. */
export function checkLayout(options: {
  layout?: ConduitLayout | undefined
  mode?: ConduitMode | undefined
  localName?: string | undefined
}): ConduitLayout {
  const { layout = 'guarded', mode, localName } = options
  if (layout !== 'flat' && layout !== 'guarded')
    throw new TypeError(`layout is 'guarded' or 'flat', not ${String(layout)}`)
  if (layout === 'flat' && mode === 'message') throw new TypeError('the flat layout carries streams only')
  if (localName === undefined) return layout
  if (layout !== 'flat')
    throw new TypeError("localName goes with layout: 'flat': otherwise the domid tells who connects")
  if (typeof localName === 'string' && parseName(localName) === localName) return layout
  throw new ConduitError('CONDUIT_NAME', `${JSON.stringify(localName)} cannot be a name`, { hint: NAME_RULE })
}

/** @throws TypeError, RangeError */
export function checkSizes(options: { ringBytes?: number | undefined; spinMicros?: number | undefined }): void {
  checkNumber('ringBytes', options.ringBytes, RING_BYTES_MIN, RING_BYTES_MAX)
  checkNumber('spinMicros', options.spinMicros, 0, Number.MAX_SAFE_INTEGER)
}

/** @throws TypeError, RangeError */
export function checkNumber(what: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return
  if (typeof value !== 'number') throw new TypeError(`${what} is a number, not ${typeof value}`)
  if (!(value >= min && value <= max)) throw new RangeError(`${what} is ${min} to ${max}, not ${value}`)
}

/**
 * Everything that connect() and its like take, before anything is opened for it.
 * @throws TypeError, RangeError; ConduitError CONDUIT_NAME for a `localName`
 */
export function checkConnectOptions(options: ConnectOptions): void {
  checkLayout(options)
  checkSizes(options)
  checkNumber('timeoutMs', options.timeoutMs, 0, TIMEOUT_MS_MAX)
  if (checkMode(options.mode) === 'message') checkMessageOptions(options as MessageConnectOptions)
  else checkSocketOptions(options as StreamConnectOptions)
}
