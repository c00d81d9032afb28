// The admin address: HTTP on the loopback interface unless it is configured otherwise, for people, Prometheus and health
// checks. It only shows. Clients may be slow, many or web pages of others: each is bounded.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { listenFailure } from '../listen-failure.js'
import type { Logger } from '../logger.js'
import { type AdminSource, adminPage, type Page } from './admin-pages.js'
import { isOwnHost } from './host-header.js'

/** An IP address and a port. */
export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** For AdminServer.listen(). */
export interface AdminServerOptions {
  readonly listen: SocketAddress
  readonly source: AdminSource
  readonly log: Logger
  /** Names under which a browser may ask, beside localhost and addresses. */
  readonly hostNames?: readonly string[]
  /** For tests. */
  readonly limits?: Partial<AdminLimits> | undefined
}

/** What one client, or all of them, can take. */
export interface AdminLimits {
  readonly connections: number
  /** For a whole request to arrive. */
  readonly requestMs: number
  /** Without a byte either way. */
  readonly idleMs: number
}

const LIMITS: AdminLimits = { connections: 64, requestMs: 5000, idleMs: 10_000 }
const HEADER_BYTES = 8192
/** How often Node looks for requests that take too long. */
const CHECKS_PER_LIMIT = 5

const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  // The waterfall brings its own style; nothing else is loaded or run.
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
} as const

/** Serves until it is closed. */
export class AdminServer {
  readonly #server: Server
  readonly #source: AdminSource
  readonly #log: Logger
  readonly #hostNames: ReadonlySet<string>
  #closed: Promise<void> | undefined

  /** @throws ConduitError EADDRINUSE, EACCES, EINVAL, SYSTEM */
  static async listen(options: AdminServerOptions): Promise<AdminServer> {
    const admin = new AdminServer(options)
    await admin.#listen(options.listen)
    return admin
  }

  private constructor({ source, log, hostNames = [], limits }: AdminServerOptions) {
    const { connections, requestMs, idleMs } = { ...LIMITS, ...limits }
    this.#source = source
    this.#log = log
    this.#hostNames = new Set(hostNames.map((name) => name.toLowerCase()))
    this.#server = createServer(
      {
        maxHeaderSize: HEADER_BYTES,
        headersTimeout: requestMs,
        requestTimeout: requestMs,
        connectionsCheckingInterval: Math.ceil(requestMs / CHECKS_PER_LIMIT),
      },
      (request, response) => void this.#answer(request, response),
    )
    this.#server.maxConnections = connections
    this.#server.setTimeout(idleMs)
  }

  /** Where it listens: the port that the kernel chose, where 0 was asked for. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return formatSocketAddress({ host: address, port })
  }

  /** Idempotent. Requests under way are cut off. */
  close(): Promise<void> {
    this.#closed ??= new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
    return this.#closed
  }

  async #listen({ host, port }: SocketAddress): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(listenFailure(cause, 'admin.listen', formatSocketAddress({ host, port })))
      })
      this.#server.listen({ host, port, ipv6Only: true }, resolve)
    })
    this.#server.removeAllListeners('error').on('error', (error) => {
      this.#log.warn('the admin address takes no connection', { error: error.message })
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined)
    const { status, type, body } = await this.#page(request)
    const bytes = Buffer.from(body)
    response.writeHead(status, {
      ...HEADERS,
      'Content-Type': type,
      'Content-Length': bytes.length,
      ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  }

  async #page({ method, url = '', headers }: IncomingMessage): Promise<Page> {
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'GET and HEAD are all there is: nothing changes here')
    if (!isOwnHost(headers.host ?? '', this.#hostNames)) {
      return text(421, 'ask for it by its address, or as localhost')
    }
    try {
      return await adminPage(this.#source, url)
    } catch (error) {
      this.#log.error('the admin address could not answer', { url, error: (error as Error).stack })
      return text(500, 'that failed: the log of jitsud says why')
    }
  }
}

const text = (status: number, line: string): Page => ({ status, type: 'text/plain; charset=utf-8', body: `${line}\n` })

const formatSocketAddress = ({ host, port }: SocketAddress): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
