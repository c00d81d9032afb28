// Whether a service can be served by DNS at all. Answers are written when they are asked for, and then nothing may be wrong any more.
import { nameLabels } from '../../../protocol/dns.js'
import { ipBytes } from '../../../protocol/ip-address.js'
import { ConduitError } from '../../errors.js'
import type { Service } from '../summon.js'

/** More would not fit into a message, even over TCP. */
const ADDRESSES_MAX = 2000
/** Letters of hosts, and the underscore of names that are none. */
const PLAIN_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/
const NAME_HINT =
  'labels of 1 to 63 out of a-z, 0-9, - and _, with dots between, 253 in all; international names in their xn-- form'
/** RFC 6335 5.1 */
const PORT_NAME = /^[a-z0-9-]{1,15}$/

/** @throws ConduitError CONFIG with what is wrong of its names, addresses or ports */
export function checkServable(service: Service): void {
  const refuse = (value: unknown, what: string, hint: string): never => {
    throw new ConduitError('CONFIG', `${JSON.stringify(value)} of service ${service.name} cannot be ${what}`, { hint })
  }
  for (const name of service.dns) {
    if (!PLAIN_NAME.test(name) || nameLabels(name) === undefined) refuse(name, 'a DNS name', NAME_HINT)
  }
  if (service.addresses.length > ADDRESSES_MAX) {
    refuse(service.addresses.length, 'its number of addresses', `${ADDRESSES_MAX} at most`)
  }
  for (const address of service.addresses) {
    if (ipBytes(address) === undefined) refuse(address, 'its address', 'an IPv4 or IPv6 address, without a zone')
  }
  for (const [name, port] of Object.entries(service.ports ?? {})) {
    if (!PORT_NAME.test(name)) refuse(name, 'the name of a port', 'up to 15 out of a-z, 0-9 and -, as in IANA’s table')
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      refuse(port, `its port ${name}`, 'a number from 1 to 65535')
  }
}
