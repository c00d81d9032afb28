// The one error class and the closed list of its codes. Programmer mistakes are TypeError and
// RangeError, an abort rejects with the signal's reason: neither passes through here.

/** Every code a {@link ConduitError} can carry, with what it means. */
export const ERROR_CODES = {
  ENOENT: 'no such name, path or domain',
  ECONNREFUSED: 'the name exists and nobody accepts connections on that port',
  ECONNRESET: 'the peer vanished or dropped the connection before it had ended its direction',
  EPIPE: 'written after the peer closed, or after this side ended',
  ETIMEDOUT: 'no answer in the time allowed',
  EADDRINUSE: 'the name or port is taken',
  EACCES: 'permission denied',
  EINVAL: 'a value from outside has the wrong form',
  EMSGSIZE: 'a message is larger than the limit agreed on',
  VCHAN_CORRUPT: 'the peer wrote an impossible value into the shared page',
  VCHAN_LAYOUT: 'the control page describes rings that cannot be',
  VCHAN_CLOSED: 'this end of the channel is closed',
  GRANT_INVALID: 'a grant reference that the granter never made, has revoked, or made for another domain',
  GRANT_LIMIT: 'no more pages can be granted',
  EVTCHN_INVALID: 'a port that does not exist, is bound already, or belongs to another domain',
  MAPPING_FAILED: 'the pages could not be mapped',
  XENSTORE_PROTOCOL: 'the store or its client broke the wire protocol',
  XENSTORE_QUOTA: 'a xenstore quota is used up',
  XENSTORE_CONFLICT: 'a transaction kept conflicting with others',
  XENSTORE_DISCONNECTED: 'the connection to the store was lost',
  XENSTORE_ERROR: 'the store refused for another reason: see errno',
  CONDUIT_NAME: 'a name that cannot be one',
  CONDUIT_PROTOCOL: 'a rendezvous entry that cannot be read',
  CONDUIT_MODE: 'the peer speaks the other mode: stream against message',
  SUBSTRATE_UNAVAILABLE: 'the backend asked for is not there',
  SUBSTRATE_LOST: 'the local hypervisor is gone and could not be reached again',
  RUNTIME_DIR: 'the runtime directory cannot be used',
  ADDON_MISSING: 'the native addon is not built for this platform',
  SYSTEM: 'a system call failed: see errno and syscall',
} as const

/** Stable, closed union of error codes: node's own where the meaning is the same, `<LAYER>_<CONDITION>` otherwise. */
export type ConduitErrorCode = keyof typeof ERROR_CODES

export interface ConduitErrorDetails {
  /** The kernel's or the store's name of the failure, such as `EACCES`. */
  readonly errno?: string | undefined
  /** The system call or request that failed. */
  readonly syscall?: string | undefined
  /** What to do about it. */
  readonly hint?: string | undefined
  /** The name, address or path that was asked for. */
  readonly endpoint?: string | undefined
  /** The peer's domid. */
  readonly domid?: number | undefined
  readonly cause?: unknown
}

/** The world's failures. `message` says what was tried and what went wrong; `hint` names the fix. */
export class ConduitError extends Error {
  override readonly name = 'ConduitError'
  readonly code: ConduitErrorCode
  readonly errno: string | undefined
  readonly syscall: string | undefined
  readonly hint: string | undefined
  readonly endpoint: string | undefined
  readonly domid: number | undefined

  constructor(code: ConduitErrorCode, message: string, details: ConduitErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.errno = details.errno
    this.syscall = details.syscall
    this.hint = details.hint
    this.endpoint = details.endpoint
    this.domid = details.domid
  }
}

/** True for a {@link ConduitError}, with `code` when one is given. */
export function isConduitError(error: unknown, code?: ConduitErrorCode): error is ConduitError {
  return error instanceof ConduitError && (code === undefined || error.code === code)
}
