// What node:net and node:tls say of a connection that could not be made, as the one error class: the codes that mean the same stay.
import { ConduitError, type ConduitErrorCode, isConduitError } from '../errors.js'

const SAME: ReadonlySet<string> = new Set<ConduitErrorCode>([
  'EACCES',
  'ECONNREFUSED',
  'ECONNRESET',
  'EMFILE',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there: start the server, or check address and port',
  ENOENT: 'no socket has this path: start the server, or check the path',
  EACCES: 'this user may not write to the socket',
  EMFILE: 'raise the limit of open files (ulimit -n)',
  ECONNRESET: 'the other side dropped the connection at once: does it speak the protocol that is expected here?',
  EHOSTUNREACH: 'no route to this host',
  ENETUNREACH: 'no route to this network',
}

/** @param endpoint as the caller wrote it */
export function connectError(endpoint: string, cause: NodeJS.ErrnoException): ConduitError {
  if (isConduitError(cause)) return cause
  // Several addresses were tried: the first failure has the code (lib/net.js, internalConnectMultiple).
  const { code = '', syscall } = cause
  const why = cause instanceof AggregateError ? cause.errors.map(messageOf).join('; ') : cause.message
  return new ConduitError(SAME.has(code) ? (code as ConduitErrorCode) : 'SYSTEM', `connect to ${endpoint}: ${why}`, {
    endpoint,
    errno: code || undefined,
    syscall,
    hint: HINTS[code],
    cause,
  })
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** @param endpoint as the caller wrote it */
export function handshakeError(endpoint: string, cause: NodeJS.ErrnoException): ConduitError {
  const { code = '' } = cause
  if (isConduitError(cause) || (SAME.has(code) && code !== 'ECONNRESET')) return connectError(endpoint, cause)
  return new ConduitError('TLS_HANDSHAKE', `TLS with ${endpoint}: ${cause.message}`, {
    endpoint,
    errno: code || undefined,
    hint: tlsHint(code),
    cause,
  })
}

function tlsHint(code: string): string {
  if (/^ERR_TLS_CERT_ALTNAME/.test(code))
    return 'the certificate is for other names: connect by one of them, or set tls.servername'
  if (/CERT|SELF_SIGNED|ISSUER/.test(code))
    return 'give the authority that signed the certificate as tls.ca (or NODE_EXTRA_CA_CERTS)'
  return 'does the other side speak TLS on this port, in a version that both know?'
}
