// `tracing:conduit:connect:{start,end,asyncStart,asyncEnd,error}` of node:diagnostics_channel; costs nothing unheard.
import { tracingChannel } from 'node:diagnostics_channel'

/** What subscribers get; `result` or `error` is added when the connect has ended. */
export interface ConnectTrace {
  /** What is connected to, as `NAME`, `NAME:PORT` or `vchan://DOMID/PORT`. */
  readonly address: string
  /** What was waited for last. */
  step: string
}

const channels = tracingChannel('conduit:connect')

/** Run `connect`, telling whoever listens. */
export function traceConnect<T>(trace: ConnectTrace, connect: () => Promise<T>): Promise<T> {
  const { start, end, asyncStart, asyncEnd, error } = channels
  const heard = [start, end, asyncStart, asyncEnd, error].some((channel) => channel.hasSubscribers)
  return heard ? channels.tracePromise(connect, trace) : connect()
}
