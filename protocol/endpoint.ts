// Where a name leads: the closed union that the resolver answers with, and its strict decoder from JSON. A value, not a
// connection: nothing is looked up or opened. Its URI is in endpoint-uri.ts, ocaml-conduit's s-expression in endpoint-sexp.ts.
import { isIP } from 'node:net'
import { isDirectPort, NAME_RULE, PORT_RULE, parseName, parsePort } from './conduit-name.js'
import { isHostName } from './host-name.js'
import { DOMID_FIRST_RESERVED, type Domid, isDomid } from './xen.js'

/** TCP at an IP address. */
export interface TcpEndpoint {
  /** Which of the union this is. */
  readonly kind: 'tcp'
  /** IPv4, or IPv6 without brackets, with a zone (`fe80::1%eth0`) where it needs one. */
  readonly address: string
  /** 1 to 65535. */
  readonly port: number
}

/** A unix stream socket. */
export interface UnixEndpoint {
  /** Which of the union this is. */
  readonly kind: 'unix'
  /** Absolute; 107 bytes at most. */
  readonly path: string
}

/** libxenvchan's own rendezvous, without a name. */
export interface VchanDirectEndpoint {
  /** Which of the union this is. */
  readonly kind: 'vchan-direct'
  /** The server's domain. */
  readonly domid: Domid
  /** Case counts. */
  readonly port: string
}

/** A conduit name, found through /conduit in the store. */
export interface VchanNameEndpoint {
  /** Which of the union this is. */
  readonly kind: 'vchan-name'
  /** One label, in lower case. */
  readonly name: string
  /** The port within the name; undefined for the server that takes every port. */
  readonly port: string | undefined
}

/** TLS over another endpoint. */
export interface TlsEndpoint {
  /** Which of the union this is. */
  readonly kind: 'tls'
  /** Whom the certificate must name, and what is sent as server name unless it is an IP address. */
  readonly host: string
  /** What it runs over. */
  readonly over: Endpoint
}

/** A name that leads nowhere. */
export interface UnknownEndpoint {
  /** Which of the union this is. */
  readonly kind: 'unknown'
  /** Why. */
  readonly reason: string
}

/** Where a name leads. */
export type Endpoint =
  | TcpEndpoint
  | UnixEndpoint
  | VchanDirectEndpoint
  | VchanNameEndpoint
  | TlsEndpoint
  | UnknownEndpoint

/** What is wrong with something that should have been an endpoint. */
export interface EndpointProblem {
  readonly problem: string
  readonly hint: string
}

/** `sun_path` less its terminator (linux/include/uapi/linux/un.h); node cuts a longer path off in silence. */
export const UNIX_PATH_BYTES = 107
/** TLS within TLS: more than anybody needs, and a bound for what comes from outside. */
export const TLS_DEPTH = 4
export const REASON_CHARS = 512
/** Longest text of any form. */
export const ENDPOINT_CHARS = 8192

/** Half of a character, which no UTF-8 has: neither a URI nor a path can. */
const LONE_SURROGATE = /\p{Surrogate}/u

export const endpointProblem = (problem: string, hint: string): EndpointProblem => ({ problem, hint })

/** @param value an untrusted address and port, each of any type */
export function tcpEndpoint(address: unknown, port: unknown): TcpEndpoint | EndpointProblem {
  if (typeof address !== 'string' || isIP(address) === 0) {
    return endpointProblem(`${show(address)} is no IP address`, 'TCP endpoints hold IPv4 or IPv6 addresses, not names')
  }
  if (!isTcpPort(port)) return endpointProblem(`${show(port)} is no TCP port`, 'TCP ports are 1 to 65535')
  return { kind: 'tcp', address: address.toLowerCase(), port }
}

export const isTcpPort = (port: unknown): port is number =>
  typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65535

export function unixEndpoint(path: unknown): UnixEndpoint | EndpointProblem {
  if (typeof path !== 'string' || !path.startsWith('/') || path.includes('\0') || LONE_SURROGATE.test(path)) {
    return endpointProblem(`${show(path)} is no path of a socket`, 'unix sockets have an absolute path')
  }
  const bytes = new TextEncoder().encode(path).length
  if (bytes > UNIX_PATH_BYTES) {
    return endpointProblem(`${show(path)} has ${bytes} bytes`, `paths of unix sockets have ${UNIX_PATH_BYTES} at most`)
  }
  return { kind: 'unix', path }
}

export function vchanDirectEndpoint(domid: unknown, port: unknown): VchanDirectEndpoint | EndpointProblem {
  if (typeof domid !== 'number' || !isDomid(domid)) {
    return endpointProblem(`${show(domid)} is no domid`, `domids are 0 to ${DOMID_FIRST_RESERVED - 1}`)
  }
  if (typeof port !== 'string' || !isDirectPort(port)) {
    return endpointProblem(`${show(port)} cannot be a port of a domain`, 'use 1 to 63 of A-Z a-z 0-9 _ -')
  }
  return { kind: 'vchan-direct', domid, port }
}

export function vchanNameEndpoint(name: unknown, port: unknown): VchanNameEndpoint | EndpointProblem {
  const parsedName = typeof name === 'string' ? parseName(name) : undefined
  if (parsedName === undefined) return endpointProblem(`${show(name)} cannot be a conduit name`, NAME_RULE)
  if (port === undefined) return { kind: 'vchan-name', name: parsedName, port }
  const parsedPort = typeof port === 'string' ? parsePort(port) : undefined
  if (parsedPort === undefined) return endpointProblem(`${show(port)} cannot be a port`, PORT_RULE)
  return { kind: 'vchan-name', name: parsedName, port: parsedPort }
}

export function tlsEndpoint(host: unknown, over: Endpoint): TlsEndpoint | EndpointProblem {
  if (typeof host !== 'string' || !(isHostName(host) || isIP(host) !== 0)) {
    return endpointProblem(`${show(host)} is no host for TLS`, 'give the DNS name or IP address in the certificate')
  }
  if (tlsDepth(over) >= TLS_DEPTH) {
    return endpointProblem('TLS within TLS too many times', `${TLS_DEPTH} layers are the most`)
  }
  return { kind: 'tls', host: host.toLowerCase(), over }
}

const tlsDepth = (endpoint: Endpoint): number => (endpoint.kind === 'tls' ? 1 + tlsDepth(endpoint.over) : 0)

export function unknownEndpoint(reason: unknown): UnknownEndpoint | EndpointProblem {
  if (typeof reason === 'string' && reason.length <= REASON_CHARS && !LONE_SURROGATE.test(reason)) {
    return { kind: 'unknown', reason }
  }
  return endpointProblem('the reason of an unknown endpoint is unreadable', `it has ${REASON_CHARS} characters at most`)
}

const FIELDS: Readonly<Record<Endpoint['kind'], readonly string[]>> = {
  tcp: ['address', 'port'],
  unix: ['path'],
  'vchan-direct': ['domid', 'port'],
  'vchan-name': ['name', 'port'],
  tls: ['host', 'over'],
  unknown: ['reason'],
}
export const ENDPOINT_KINDS = Object.keys(FIELDS) as readonly Endpoint['kind'][]

/** The endpoint that a parsed JSON value is, every field checked and none more taken. */
export function parseEndpointJson(value: unknown, depth = 0): Endpoint | EndpointProblem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return endpointProblem(`${show(value)} is no endpoint`, `an endpoint is an object with a kind: ${ENDPOINT_KINDS}`)
  }
  const { kind, ...fields } = value as Record<string, unknown>
  if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind)) {
    return endpointProblem(`${show(kind)} is no kind of endpoint`, `kinds are ${ENDPOINT_KINDS.join(', ')}`)
  }
  const known = FIELDS[kind as Endpoint['kind']]
  const strange = Object.keys(fields).find((field) => !known.includes(field))
  if (strange !== undefined) {
    return endpointProblem(`${kind} endpoints have no ${show(strange)}`, `they have ${known.join(' and ')}`)
  }
  return fromFields(kind as Endpoint['kind'], fields, depth)
}

function fromFields(
  kind: Endpoint['kind'],
  fields: Readonly<Record<string, unknown>>,
  depth: number,
): Endpoint | EndpointProblem {
  switch (kind) {
    case 'tcp':
      return tcpEndpoint(fields.address, fields.port)
    case 'unix':
      return unixEndpoint(fields.path)
    case 'vchan-direct':
      return vchanDirectEndpoint(fields.domid, fields.port)
    case 'vchan-name':
      return vchanNameEndpoint(fields.name, fields.port)
    case 'unknown':
      return unknownEndpoint(fields.reason)
    case 'tls': {
      if (depth >= TLS_DEPTH) {
        return endpointProblem('TLS within TLS too many times', `${TLS_DEPTH} layers are the most`)
      }
      const over = parseEndpointJson(fields.over, depth + 1)
      return 'problem' in over ? over : tlsEndpoint(fields.host, over)
    }
  }
}

/** A value from outside, for a message: short, and on one line. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value !== 'string' && typeof value !== 'number') return `a ${value === null ? 'null' : typeof value}`
  return JSON.stringify(typeof value === 'string' && value.length > 80 ? `${value.slice(0, 80)}…` : value)
}
