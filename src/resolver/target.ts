// What a text asks for: an endpoint that needs no looking up, or a host and what is wanted of it. Pure text to value.
import { isIP, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import { parseAddress } from '../../protocol/conduit-address.js'
import { parsePort } from '../../protocol/conduit-name.js'
import { ENDPOINT_CHARS, type Endpoint, isTcpPort, show } from '../../protocol/endpoint.js'
import { parseEndpointText } from '../../protocol/endpoint-text.js'
import { ENDPOINT_URI_FORMS } from '../../protocol/endpoint-uri.js'
import { HOST_NAME_RULE, isHostName } from '../../protocol/host-name.js'
import { type Service, serviceNamed } from '../../protocol/service-names.js'
import { ConduitError } from '../errors.js'

/** A host, and what is wanted of it. */
export interface HostTarget {
  /** A name in lower case without its last dot, or an IP address without brackets. */
  readonly host: string
  /** Of the URI's scheme; undefined where there was none, or one that stands for a transport: `tcp`, `tls`. */
  readonly service: Service | undefined
  /** As a number or word behind the host; undefined where there was none. */
  readonly port: string | undefined
  /** TLS around whatever it leads to. */
  readonly tls: boolean
  /** `tcp` was asked for by name: nothing else will do. */
  readonly tcpOnly: boolean
}

export type Target = { readonly endpoint: Endpoint } | HostTarget

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i
/** Schemes of endpoints, which spell out where they lead. */
const ENDPOINT_SCHEME = /^(?:(?:tls\+)*(?:unix|vchan):\/\/|unknown:|tls\+)/i
/** What stands before `:` and is no name: conduit-cat's own words. */
const PREFIX = /^(?:exec|listen):/i

/**
 * @throws TypeError when it is no string; ConduitError CONDUIT_NAME for a name without dots that cannot be one, EINVAL for anything
 * else that cannot be read
 */
export function parseTarget(text: unknown): Target {
  if (typeof text !== 'string') throw new TypeError(`an address is a string, not ${typeof text}`)
  if (/^[({]/.test(text) || ENDPOINT_SCHEME.test(text)) return { endpoint: literalEndpoint(text) }
  const scheme = SCHEME.exec(text)
  if (scheme === null && !isDotted(text)) return { endpoint: conduitName(text) }
  if (text.length > ENDPOINT_CHARS) throw wrong(text, `an address of ${text.length} characters is too long`)
  if (scheme !== null) return uriTarget(text, scheme[1]!.toLowerCase(), text.slice(scheme[0].length))
  return bareTarget(text)
}

/** Whether a text without a scheme is about hosts: conduit names have no dots, and no brackets. */
const isDotted = (text: string): boolean =>
  !PREFIX.test(text) && (text.startsWith('[') || isIPv6(text) || text.split(':', 1)[0]!.includes('.'))

function literalEndpoint(text: string): Endpoint {
  // vchan:// was there before there were endpoints: its errors stay what they were.
  if (/^vchan:/i.test(text)) return conduitName(text)
  const endpoint = parseEndpointText(text)
  if ('problem' in endpoint) throw wrong(text, endpoint.problem, endpoint.hint)
  return endpoint
}

function conduitName(text: string): Endpoint {
  const address = parseAddress(text)
  if ('problem' in address) {
    const { code, problem, hint } = address
    throw new ConduitError(code, problem, { endpoint: text.slice(0, 256), hint })
  }
  if (address.kind === 'direct') return { kind: 'vchan-direct', domid: address.domid, port: address.port }
  return { kind: 'vchan-name', name: address.name, port: address.port }
}

/** `SCHEME://HOST[:PORT][/…]`. */
function uriTarget(text: string, scheme: string, rest: string): HostTarget {
  const transport = scheme === 'tcp' || scheme === 'tls'
  const service = transport ? undefined : serviceNamed(scheme)
  if (!transport && service === undefined) {
    throw wrong(text, `${show(scheme)} is no scheme that is known here`, `use a service such as http, or ${FORMS}`)
  }
  const authority = rest.split(/[/?#]/, 1)[0]!
  // Nobody would be told the password; and programs disagree on where a name before `@` ends, as in http://good\@evil/.
  if (authority.includes('@'))
    throw wrong(`${scheme}://…`, 'a user or password in a URI goes nowhere from here', 'leave out what stands before @')
  const { host, port } = hostAndPort(text, authority)
  if (transport && port === undefined) throw noPort(text, host)
  if (!transport && port !== undefined && !/^[0-9]+$/.test(port)) {
    throw wrong(text, `${show(port)} is no TCP port`, 'ports of URIs are 1 to 65535')
  }
  return { host, service, port, tls: scheme === 'tls' || service?.tls === true, tcpOnly: scheme === 'tcp' }
}

function bareTarget(text: string): HostTarget {
  const { host, port } = isIPv6(text) ? { host: text.toLowerCase(), port: undefined } : hostAndPort(text, text)
  if (isIP(host) !== 0 && port === undefined) throw noPort(text, host)
  return { host, service: undefined, port, tls: false, tcpOnly: false }
}

function hostAndPort(text: string, authority: string): { host: string; port: string | undefined } {
  const [, bracketed, plain, portText] = /^(?:\[([^\][]*)\]|([^:\][]*))(?::(.*))?$/s.exec(authority) ?? []
  const host = bracketed === undefined ? plainHost(plain ?? '') : bracketedHost(bracketed)
  if (host === undefined) throw wrong(text, `${show(bracketed ?? plain ?? authority)} is no host`, HOST_NAME_RULE)
  // A URI may have an empty port (RFC 3986 section 3.2.3).
  if (portText === undefined || portText === '') return { host, port: undefined }
  const port = parsePort(portText)
  if (port === undefined || (/^[0-9]+$/.test(port) && !isTcpPort(Number(port)))) {
    throw wrong(text, `${show(portText)} cannot be a port`, 'use 1 to 65535, or the name of a service')
  }
  return { host, port: /^[0-9]+$/.test(port) ? String(Number(port)) : port }
}

/** The zone's % is written %25 in a URI (RFC 6874 section 2), and bare by people. */
function bracketedHost(text: string): string | undefined {
  const address = text.replace('%25', '%').toLowerCase()
  return isIPv6(address) ? address : undefined
}

function plainHost(text: string): string | undefined {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (isIP(name) === 4) return text === name ? name : undefined
  const ascii = /^[\x20-\x7e]*$/.test(name) ? name.toLowerCase() : domainToASCII(name)
  return isHostName(ascii) ? ascii : undefined
}

const FORMS = `NAME, NAME:PORT, HOST:PORT, tls://HOST:PORT, ${ENDPOINT_URI_FORMS}`

const wrong = (text: string, problem: string, hint = `use ${FORMS}`): ConduitError =>
  new ConduitError('EINVAL', problem, { endpoint: text.slice(0, 256), hint })

export const noPort = (text: string, host: string): ConduitError =>
  wrong(text, `${host}: which port?`, `say http://${host.includes(':') ? `[${host}]` : host}, or put :PORT behind it`)
