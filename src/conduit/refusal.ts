// What a refused or failed request means to the caller: the code the server wrote, in words.
import { ConduitError, type ConduitErrorCode, ERROR_CODES, isConduitError } from '../errors.js'

const HINTS: Partial<Record<ConduitErrorCode, string>> = {
  ECONNREFUSED: 'the server takes no connections on this port now: is it NAME:PORT, or is it full?',
  CONDUIT_MODE: "pass the server's mode: connect(address, { mode: 'message' }) or 'stream'",
  EMFILE: 'the server has too many files open: close some there, or raise its limit (ulimit -n)',
  GRANT_LIMIT: "the server's domain is out of grants: raise /sys/module/xen_gntalloc/parameters/limit there",
  CONDUIT_PROTOCOL: 'the server could not read the request: it is of another version',
}

/** The error for `refused CODE`; the code is whatever the server wrote. */
export function refusal(code: string, endpoint: string, server: number): ConduitError {
  const details = { endpoint, domid: server }
  if (!Object.hasOwn(ERROR_CODES, code)) {
    return new ConduitError('ECONNREFUSED', `${endpoint} refused the connection with an unknown code, ${code}`, details)
  }
  const known = code as ConduitErrorCode
  return new ConduitError(known, `${endpoint} refused the connection: ${ERROR_CODES[known]}`, {
    ...details,
    hint: HINTS[known],
  })
}

/** The keys were good when they were written: what cannot be mapped now has gone with its server. */
export function vanished(error: unknown, endpoint: string, server: number): unknown {
  const gone = ['VCHAN_CLOSED', 'GRANT_INVALID', 'EVTCHN_INVALID'] as const
  if (!gone.some((code) => isConduitError(error, code))) return error
  return new ConduitError('ECONNRESET', `${endpoint} accepted the connection and vanished`, {
    endpoint,
    domid: server,
    cause: error,
    hint: 'the server ended or dropped the connection in the middle of the handshake: connect again',
  })
}
