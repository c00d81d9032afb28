// The one error class and the closed list of its codes. Programmer mistakes are TypeError and
// RangeError, an abort rejects with the signal's reason: neither passes through here.

/** Every code a {@link ConduitError} can carry, with what it means. */
export const ERROR_CODES = {
  /** From connect() at once, unless `wait` is set; from the store for a node that is not there. */
  ENOENT: 'no such name, path or domain',
  /** Also when the server has `maxConnections` already, or answers with a code that this version does not know. */
  ECONNREFUSED: 'the name exists and nobody accepts connections on that port',
  /**
   * After every byte that the peer had written was delivered; also for what is under way when the environment is
   * closed.
   */
  ECONNRESET: 'the peer vanished or dropped the connection before it had ended its direction',
  /** The bytes of that write, and those the peer had not read, are lost; what the peer sent can still be read. */
  EPIPE: 'written after the peer closed, or after this side ended',
  /**
   * `timeoutMs` is over: 10 s for connect() and listen() unless said otherwise. The message says what was waited for.
   */
  ETIMEDOUT: 'no answer in the time allowed',
  /** Another domain holds the name, or another server of this process listens on that port of it. */
  EADDRINUSE: 'the name or port is taken',
  /**
   * The store's permissions, a name that the registrar keeps for somebody else, or keys that another domain planted.
   */
  EACCES: 'permission denied',
  /** An address or a path that cannot be parsed. Wrong options are TypeError and RangeError instead. */
  EINVAL: 'a value from outside has the wrong form',
  /** What is open goes on. errno tells whether by this process or on this machine; the hint names the limit to raise. */
  EMFILE: 'no more descriptors can be opened',
  /**
   * `maxMessageBytes`, 16 MiB by default. Thrown by send() before anything is written; a peer's too large message ends
   * the socket.
   */
  EMSGSIZE: 'a message is larger than the limit agreed on',
  /** Indices, a live byte or an end mark that no correct peer writes. That channel is closed; others are untouched. */
  VCHAN_CORRUPT: 'the peer wrote an impossible value into the shared page',
  /** With errno EAGAIN the server has not filled the page in yet: connect again. */
  VCHAN_LAYOUT: 'the control page describes rings that cannot be',
  /** From the operations of a channel that was closed, or whose substrate was. */
  VCHAN_CLOSED: 'this end of the channel is closed',
  /** On local it mostly means that the peer has gone in the meantime. */
  GRANT_INVALID: 'a grant reference that the granter never made, has revoked, or made for another domain',
  /** On Xen gntalloc's limit, 1,024 pages by default; on local the hypervisor's own, or memory. */
  GRANT_LIMIT: 'no more pages can be granted',
  /** As GRANT_INVALID, for the port: the peer closed it, or somebody bound it first. */
  EVTCHN_INVALID: 'a port that does not exist, is bound already, or belongs to another domain',
  /** errno has the kernel's reason, such as ENOMEM when the process has too many mappings (vm.max_map_count). */
  MAPPING_FAILED: 'the pages could not be mapped',
  /** The connection was dropped. A socket that is no xenstore looks like this. */
  XENSTORE_PROTOCOL: 'the store or its client broke the wire protocol',
  /** errno tells ENOSPC, E2BIG and oxenstored's EQUOTA apart; the hint names the quota and its default. */
  XENSTORE_QUOTA: 'a xenstore quota is used up',
  /** After all attempts of XenstoreClient.transaction(), 64 by default. */
  XENSTORE_CONFLICT: 'a transaction kept conflicting with others',
  /**
   * Requests reject with it at once until the client has reconnected by itself; what was under way may have been done.
   */
  XENSTORE_DISCONNECTED: 'the connection to the store was lost',
  /** An answer that has no code of its own here, such as EEXIST, ENOSYS or EBUSY. */
  XENSTORE_ERROR: 'the store refused for another reason: see errno',
  /** The hint has the rule: one label of 1 to 63 characters, as in DNS. */
  CONDUIT_NAME: 'a name that cannot be one',
  /** Written by another version, or by a domain that is broken or hostile. Also a message cut off by the peer's end. */
  CONDUIT_PROTOCOL: 'a rendezvous entry that cannot be read',
  /** Pass the server's `mode` to connect(). */
  CONDUIT_MODE: 'the peer speaks the other mode: stream against message',
  /**
   * No Xen domain, a device that is missing or closed to this user, a store or a local hypervisor that does not answer in
   * `attachTimeoutMs`: the hint says which, and what to type.
   */
  SUBSTRATE_UNAVAILABLE: 'the backend asked for is not there',
  /** New connections fail; channels that were open go on. Also after the environment's substrate was closed. */
  SUBSTRATE_LOST: 'the local hypervisor is gone and could not be reached again',
  /** It must be an absolute path, this user's own, with mode 0700, and short enough for a unix socket in it. */
  RUNTIME_DIR: 'the runtime directory cannot be used',
  /** The message has the files looked for, the hint the command that makes one: `npx conduit-build`. */
  ADDON_MISSING: 'the native addon is not built for this platform',
  /** A launcher could not start, find or stop the service: the message has what its tool said. */
  LAUNCHER: 'a launcher failed',
  /** The service ended while it booted, or failed a moment ago and is not tried again yet: the message says until when. */
  BOOT_FAILED: 'the service could not be summoned',
  /** Raise `ready.timeoutSeconds` if it needs longer. */
  BOOT_TIMEOUT: 'the service was started and did not become ready in time',
  /** The message has the path of the wrong key, the hint the accepted values. */
  CONFIG: 'the configuration is wrong',
  /** No such name, or nothing of the wanted type: the resolver was told so. */
  ENOTFOUND: 'DNS does not know the name',
  /** A DNS server failed, refused or did not answer. */
  RESOLVER: 'the name could not be resolved',
  /** A certificate that is not trusted or names somebody else, or no TLS at the other end: errno has node's code for it. */
  TLS_HANDSHAKE: 'TLS could not be agreed on',
  /** What has no code of its own. */
  SYSTEM: 'a system call failed: see errno and syscall',
} as const

/** Stable, closed union of error codes: node's own where the meaning is the same, `<LAYER>_<CONDITION>` otherwise. */
export type ConduitErrorCode = keyof typeof ERROR_CODES

/** What a {@link ConduitError} may tell beside its code and message. */
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
  /** The error that this one was made of. */
  readonly cause?: unknown
}

/** The world's failures. `message` says what was tried and what went wrong; `hint` names the fix. */
export class ConduitError extends Error {
  /** For logs: stack traces begin with it. */
  override readonly name = 'ConduitError'
  /** Compare with this, never with `message`: codes are stable, texts are not. */
  readonly code: ConduitErrorCode
  /**
   * The kernel's or the store's name of the failure, such as `EMFILE`; a name, where node's own errors have a number.
   */
  readonly errno: string | undefined
  /** The system call, or the request to the store or the hypervisor, that failed. */
  readonly syscall: string | undefined
  /** What to do about it, in one line that names the module, option, sysctl or quota. */
  readonly hint: string | undefined
  /** The name, address or path that was asked for. */
  readonly endpoint: string | undefined
  /** The peer's domain, where there was one. */
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
