// Whom a request was meant for. A browser that was made to resolve somebody's name to 127.0.0.1 (DNS rebinding) says that
// name in Host, and a page of theirs would read the answer: only names that nobody else can have are answered.
import { isIP } from 'node:net'

/** An address literal is nobody's name; localhost is this machine's (RFC 6761 6.3). */
export function isOwnHost(header: string, names: ReadonlySet<string>): boolean {
  const [, bracketed, plain] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*))(?::[0-9]{1,5})?$/.exec(header) ?? []
  if (bracketed !== undefined) return isIP(bracketed) === 6
  if (plain === undefined) return false
  const name = plain.toLowerCase().replace(/\.$/, '')
  return isIP(name) === 4 || name === 'localhost' || names.has(name)
}
