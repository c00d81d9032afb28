// Which socket an address gives, as far as its text tells the compiler. For text that is known only when the program runs see connect().
import type { TcpEndpoint, TlsEndpoint, UnixEndpoint } from '../../protocol/endpoint.js'

/** Leads to a TCP or unix socket, and to nothing else. */
export type SocketAddress = `tcp://${string}` | `unix://${string}` | TcpEndpoint | UnixEndpoint

/** Leads to TLS, over whatever the host leads to. */
export type TlsAddress =
  | `tls://${string}`
  | `tls+${string}`
  | `${'https' | 'wss' | 'imaps' | 'ldaps' | 'pop3s' | 'smtps'}://${string}`
  | TlsEndpoint

/** A name below `.xen`: a conduit. */
export type XenAddress = `${string}.xen` | `${string}.xen:${string}`

/** A URI: of a service, which may lead to a conduit or to TCP, or of any kind of endpoint. */
export type UriAddress = `${string}://${string}`

/** A host, with or without a port: by DNS, which may tell of a conduit. */
export type HostAddress = `${string}.${string}`
