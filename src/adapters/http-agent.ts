// HTTP over whatever the host of a URL leads to: Agents for node:http and node:https, and a connector for undici. Knows no environment:
// connecting is given to it.
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Resolver } from '../resolver/resolver.js'
import type { EndpointConnectOptions, EndpointSocket, EndpointTlsOptions } from './endpoint-options.js'

/** createConnection(), for a URL. */
export type CreateByUrl = (options: EndpointConnectOptions & { readonly address: string }) => Duplex
/** connect(), for a URL. */
export type ConnectUrl = (url: string, options: EndpointConnectOptions) => Promise<EndpointSocket>

/** How an Agent connects, beside what it does with connections. */
export interface EndpointAgentOptions {
  /** Looks hosts up; the one behind resolveEndpoint() by default. */
  readonly resolver?: Resolver | undefined
  /** Milliseconds for each connection until it stands; 10,000 by default. */
  readonly timeoutMs?: number | undefined
}

/** What an Agent hands to createConnection (lib/_http_agent.js), as far as it matters here. */
interface Wanted {
  readonly host?: string | null | undefined
  readonly port?: number | string | null | undefined
}

/**
 * An http.Agent whose connections are made by `create`: sockets at once, so that a request that is aborted, or times out, while it connects
 * takes its socket with it.
 */
export abstract class EndpointAgent extends http.Agent {
  readonly #create: CreateByUrl
  readonly #options: EndpointAgentOptions

  constructor(create: CreateByUrl, { resolver, timeoutMs, ...options }: http.AgentOptions & EndpointAgentOptions) {
    super(options)
    this.#create = create
    this.#options = { resolver, timeoutMs }
  }

  /** For node:http. @internal */
  override createConnection(wanted: http.ClientRequestArgs): Duplex {
    return this.#create({ ...this.#options, address: urlOf('http:', wanted) })
  }
}

/** An https.Agent whose connections are made by `create`. */
export abstract class EndpointHttpsAgent extends https.Agent {
  readonly #create: CreateByUrl
  readonly #options: EndpointAgentOptions

  constructor(create: CreateByUrl, { resolver, timeoutMs, ...options }: https.AgentOptions & EndpointAgentOptions) {
    super(options)
    this.#create = create
    this.#options = { resolver, timeoutMs }
  }

  /** For node:https. @internal */
  override createConnection(wanted: https.RequestOptions): Duplex {
    return this.#create({ ...this.#options, address: urlOf('https:', wanted), tls: tlsOf(wanted) })
  }
}

function urlOf(protocol: string, { host, port }: Wanted): string {
  const name = host ?? 'localhost'
  const bracketed = name.includes(':') && !name.startsWith('[') ? `[${name}]` : name
  return `${protocol}//${bracketed}${port ? `:${port}` : ''}/`
}

/** A request's options have TLS's among them, and others that are not. An empty server name says: send none. */
function tlsOf(wanted: https.RequestOptions): EndpointTlsOptions {
  const {
    host,
    hostname,
    port,
    path,
    socketPath,
    lookup,
    signal,
    agent,
    headers,
    method,
    timeout,
    servername,
    ...tls
  } = wanted
  return servername === undefined || servername === '' ? tls : { ...tls, servername }
}

/** What undici asks a connector for (`buildConnector.Options`). */
export interface UndiciConnectOptions {
  /** As in the URL. */
  readonly hostname: string
  /** `http:` or `https:`. */
  readonly protocol: string
  /** Empty for the protocol's own. */
  readonly port: string
  /** For TLS, where it is another than the host. */
  readonly servername?: string | undefined
}

/** What undici is handed by a connector (`buildConnector.Callback`): an error, or a socket; a ConduitSocket has the face of one. */
export type UndiciConnectCallback = (...args: [error: null, socket: Socket] | [error: Error, socket: null]) => void

/** A connector of undici's. */
export type UndiciConnector = (options: UndiciConnectOptions, callback: UndiciConnectCallback) => void

export function undiciConnector(
  connect: ConnectUrl,
  { tls, ...options }: EndpointAgentOptions & Pick<EndpointConnectOptions, 'tls'>,
): UndiciConnector {
  return ({ protocol, hostname, port, servername }, callback) => {
    const ownTls = { ...(servername ? { servername } : {}), ...tls }
    connect(urlOf(protocol, { host: hostname, port }), { ...options, tls: ownTls }).then(
      (socket) => process.nextTick(callback, null, socket as Socket),
      (error) => process.nextTick(callback, error, null),
    )
  }
}
