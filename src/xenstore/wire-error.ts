// Turns an ERROR message of the store into a ConduitError: which code, and which quota it may have been.
import type { XenstoreRequestType } from '../../protocol/xenstore-wire.js'
import { ConduitError, type ConduitErrorCode } from '../errors.js'

const CODES: Readonly<Record<string, ConduitErrorCode>> = {
  ENOENT: 'ENOENT',
  EACCES: 'EACCES',
  EPERM: 'EACCES',
  EINVAL: 'EINVAL',
  EAGAIN: 'XENSTORE_CONFLICT',
  ENOSPC: 'XENSTORE_QUOTA',
  E2BIG: 'XENSTORE_QUOTA',
  // oxenstored's own word; not in the C table.
  EQUOTA: 'XENSTORE_QUOTA',
}

// Defaults of C xenstored; the administrator may have set others.
const QUOTA_HINTS: Partial<Record<XenstoreRequestType, string>> = {
  WATCH: 'the domain has too many watches (128 by default, 100 on oxenstored): share one watch between listeners',
  TRANSACTION_START: 'the domain has too many open transactions (10 by default)',
  TRANSACTION_END: 'the domain would own too many nodes (1,000 by default)',
  SET_PERMS: 'a node may have 5 permission entries by default, the owner included: use one directory for each peer',
  DIRECTORY: 'the names of the children exceed 4,096 bytes, and the store cannot send them in parts',
  WRITE: 'the node exceeds 2,048 bytes, its parent exceeds 2,048 bytes of names, or the domain owns 1,000 nodes',
  MKDIR: 'the parent exceeds 2,048 bytes of names, or the domain owns 1,000 nodes',
}

/** The error that `errno`, the text of an ERROR message, means as the answer to `request`. */
export function errorFromStore(errno: string, request: XenstoreRequestType, endpoint?: string): ConduitError {
  const code = CODES[errno] ?? 'XENSTORE_ERROR'
  const hint = code === 'XENSTORE_QUOTA' ? (QUOTA_HINTS[request] ?? 'a quota of the domain is used up') : undefined
  const of = endpoint === undefined ? '' : ` ${endpoint}`
  return new ConduitError(code, `xenstore ${request}${of}: ${errno}`, { errno, syscall: request, endpoint, hint })
}

/** The store sent what the protocol does not allow. */
export const protocolError = (what: string): ConduitError =>
  new ConduitError('XENSTORE_PROTOCOL', `the store broke the protocol: ${what}`, {
    hint: 'the connection was dropped; is this socket really a xenstore?',
  })
