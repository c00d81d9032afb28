// What connecting to an endpoint of any kind takes, and what comes out of it.
import type { Socket } from 'node:net'
import type { ConnectionOptions as NodeTlsOptions, TLSSocket } from 'node:tls'
import type { StreamConnectOptions } from '../conduit/connect-options.js'
import type { Resolver } from '../resolver/resolver.js'
import type { ConduitSocket } from '../vchan/socket.js'

/**
 * A connection to an endpoint: a ConduitSocket by vchan, a net.Socket by TCP or a unix socket, a tls.TLSSocket (which is a net.Socket)
 * where TLS is around either.
 */
export type EndpointSocket = ConduitSocket | Socket | TLSSocket

/** TLS's own options, less those that the endpoint says: who is at the other end, and what it runs over. */
export type EndpointTlsOptions = Omit<NodeTlsOptions, 'socket' | 'host' | 'port' | 'path' | 'lookup' | 'signal'>

/** What connect() takes for an endpoint that need not be a conduit. What concerns rings and names says nothing to TCP and unix sockets. */
export interface EndpointConnectOptions extends StreamConnectOptions {
  /** Looks the address up; the one behind resolveEndpoint() by default. */
  readonly resolver?: Resolver | undefined
  /**
   * For endpoints with TLS, as tls.connect takes them: `ca`, `ALPNProtocols`, `cert`, `rejectUnauthorized`, … The server name is the
   * endpoint's host unless `servername` says otherwise.
   */
  readonly tls?: EndpointTlsOptions | undefined
  /** TCP only: send small writes at once. False by default, as in node:net. */
  readonly noDelay?: boolean | undefined
  /** TCP only: probe an idle peer. False by default, as in node:net. */
  readonly keepAlive?: boolean | undefined
}
