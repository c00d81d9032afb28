// Where a DNS server is: `ADDR:PORT`, `[V6]:PORT`, or the address alone. No names: those would have to be asked for.
import { isIPv4, isIPv6 } from 'node:net'
import { ConduitError } from '../errors.js'

export interface DnsServerAddress {
  readonly address: string
  readonly port: number
  readonly family: 4 | 6
  /** The canonical spelling. */
  readonly text: string
}

/** IANA's `domain`. */
const DNS_PORT = 53
const FORM = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/

/**
 * @param options.portMin 0 where the kernel may choose, as for listening
 * @throws ConduitError EINVAL
 */
export function parseDnsServerAddress(text: string, { portMin = 1 } = {}): DnsServerAddress {
  const [, inBrackets, plain, portText] = FORM.exec(text) ?? []
  const port = portText === undefined ? DNS_PORT : Number(portText)
  const address = inBrackets ?? plain ?? text
  const family = plain !== undefined && isIPv4(plain) ? 4 : plain === undefined && isIPv6(address) ? 6 : undefined
  if (family === undefined || port < portMin || port > 65_535) {
    throw new ConduitError('EINVAL', `${JSON.stringify(text)} is no address of a DNS server`, {
      hint: 'use ADDR:PORT or [V6]:PORT with an IP address, such as 127.0.0.1:53 or [::1]:53',
      endpoint: text,
    })
  }
  return { address, port, family, text: family === 6 ? `[${address}]:${port}` : `${address}:${port}` }
}
