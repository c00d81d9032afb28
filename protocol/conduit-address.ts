// Addresses that a program can connect to or listen on: `name`, `name:port`, `vchan://name`,
// `vchan://name/port`, `vchan://DOMID/PORT`. Pure text to value; nothing is looked up.
import { isDirectPort, isReservedName, NAME_RULE, PORT_RULE, parseName, parsePort } from './conduit-name.js'
import { type Domid, isDomid } from './xen.js'

/** Found through /conduit. Without a port: the server that takes every port of the name. */
export interface NameAddress {
  readonly kind: 'name'
  readonly name: string
  readonly port: string | undefined
}

/** libxenvchan's own rendezvous under the server's `data/vchan`, without a name. */
export interface DirectAddress {
  readonly kind: 'direct'
  readonly domid: Domid
  readonly port: string
}

export type Address = NameAddress | DirectAddress

export type AddressProblem = {
  /** `CONDUIT_NAME`: a name or port that cannot be one. `EINVAL`: another kind of address. */
  readonly code: 'CONDUIT_NAME' | 'EINVAL'
  readonly problem: string
  readonly hint: string
}

export const ADDRESS_FORMS = 'NAME, NAME:PORT, vchan://NAME, vchan://NAME/PORT or vchan://DOMID/PORT'
const ADDRESS_CHARS = 256
const SCHEME = /^(?:([a-z][a-z0-9+.-]*):\/\/|(exec|listen):)/i

const named = (problem: string, hint: string): AddressProblem => ({ code: 'CONDUIT_NAME', problem, hint })

/** The address that `text` spells, or what is wrong with it. */
export function parseAddress(text: string): Address | AddressProblem {
  if (text.length > ADDRESS_CHARS) {
    return named(`an address of ${text.length} characters is too long`, `${NAME_RULE}; ${PORT_RULE}`)
  }
  const scheme = SCHEME.exec(text)
  if (scheme === null) return nameAddress(text, text.indexOf(':'))
  if (scheme[1]?.toLowerCase() === 'vchan') return vchanAddress(text.slice(scheme[0].length))
  return {
    code: 'EINVAL',
    problem: `${JSON.stringify(text)} is no address of a conduit`,
    hint: `use ${ADDRESS_FORMS}`,
  }
}

function vchanAddress(rest: string): Address | AddressProblem {
  const slash = rest.indexOf('/')
  const host = slash < 0 ? rest : rest.slice(0, slash)
  if (!/^[0-9]+$/.test(host)) return nameAddress(rest, slash < 0 ? rest.indexOf(':') : slash)
  const domid = Number(host)
  if (!isDomid(domid)) return named(`${JSON.stringify(host)} is no domid`, 'domids are 0 to 32751')
  const port = slash < 0 ? '' : rest.slice(slash + 1)
  if (!isDirectPort(port)) {
    return named(`${JSON.stringify(port)} cannot be a port of vchan://${host}/PORT`, 'use 1 to 63 of A-Z a-z 0-9 _ -')
  }
  return { kind: 'direct', domid, port }
}

function nameAddress(text: string, separator: number): Address | AddressProblem {
  const nameText = separator < 0 ? text : text.slice(0, separator)
  const name = parseName(nameText)
  if (name === undefined) {
    const reserved = isReservedName(nameText.toLowerCase())
    return named(`${JSON.stringify(nameText)} ${reserved ? 'is reserved' : 'cannot be a name'}`, NAME_RULE)
  }
  if (separator < 0) return { kind: 'name', name, port: undefined }
  const portText = text.slice(separator + 1)
  const port = parsePort(portText)
  if (port === undefined) return named(`${JSON.stringify(portText)} cannot be a port`, PORT_RULE)
  return { kind: 'name', name, port }
}

/** The canonical spelling. */
export function formatAddress(address: Address): string {
  if (address.kind === 'direct') return `vchan://${address.domid}/${address.port}`
  if (address.port === undefined) return address.name
  const short = `${address.name}:${address.port}`
  // `exec:` and `listen:` in front mean something else: servers of these names keep the long form.
  return SCHEME.test(short) ? `vchan://${address.name}/${address.port}` : short
}
