// What `conduit-cat bridge` and dialling take for an address. Pure text to value.
import { isIPv6 } from 'node:net'
import { formatAddress, parseAddress } from '../../protocol/conduit.js'
import { tcpEndpoint, unixEndpoint } from '../../protocol/endpoint.js'
import { isConduitError } from '../errors.js'
import { parseTarget } from '../resolver/target.js'
import { UsageError, usageErrorOf } from './usage-error.js'

export type BridgeAddress =
  | { readonly kind: 'stdio' }
  | { readonly kind: 'exec'; readonly command: string }
  | { readonly kind: 'dial'; readonly address: string }
  | ListenAddress

export type ListenAddress =
  | { readonly kind: 'listen-tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'listen-unix'; readonly path: string }
  | { readonly kind: 'listen-conduit'; readonly address: string }

/** @throws UsageError when it cannot be one */
export function parseBridgeAddress(text: string): BridgeAddress {
  if (text === '-') return { kind: 'stdio' }
  if (text.startsWith('exec:')) {
    if (text.length === 'exec:'.length) throw new UsageError('exec: runs which command?')
    return { kind: 'exec', command: text.slice('exec:'.length) }
  }
  if (text.startsWith('listen:')) return parseListen(text.slice('listen:'.length))
  try {
    parseTarget(text)
    return { kind: 'dial', address: text }
  } catch (error) {
    if (!isConduitError(error)) throw error
    throw usageErrorOf(error)
  }
}

function parseListen(text: string): ListenAddress {
  if (/^tcp:\/\//i.test(text)) return parseListenTcp(text)
  if (/^unix:\/\//i.test(text)) {
    const endpoint = unixEndpoint(decoded(text.slice('unix://'.length)))
    if ('problem' in endpoint) throw new UsageError(`EINVAL: ${endpoint.problem}: ${endpoint.hint}`)
    return { kind: 'listen-unix', path: endpoint.path }
  }
  const address = parseAddress(text)
  if ('problem' in address) throw new UsageError(`${address.code}: ${address.problem}: ${address.hint}`)
  return { kind: 'listen-conduit', address: formatAddress(address) }
}

/** Port 0 is the kernel's choice. */
function parseListenTcp(text: string): ListenAddress {
  const [, bracketed, plain = '', portText = ''] =
    /^tcp:\/\/(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})\/?$/i.exec(text) ?? []
  const host = bracketed ?? (plain === 'localhost' ? '127.0.0.1' : plain)
  const port = Number(portText)
  const endpoint = tcpEndpoint(host, port === 0 ? 1 : port)
  if (portText === '' || 'problem' in endpoint || isIPv6(host) !== (bracketed !== undefined)) {
    throw new UsageError(
      `EINVAL: listen:${text} cannot be listened on: use an IP address and a port of 0 to 65535, as in listen:tcp://127.0.0.1:8080 or listen:tcp://[::1]:8080`,
    )
  }
  return { kind: 'listen-tcp', host: endpoint.address, port }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
