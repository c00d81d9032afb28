// Which names and ports can be: one label, lower case, fit for a xenstore path and for DNS.
// Says nothing on who owns a name.

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/
const DIGITS = /^[0-9]+$/
const PORT = /^[a-z0-9_-]{1,63}$/
/** libxenvchan's and ocaml-vchan's port names keep their case (`mirage/ocaml-vchan:lib/port.ml`). */
const DIRECT_PORT = /^[A-Za-z0-9_-]{1,63}$/

export const NAME_RULE =
  'a name is one label of 1 to 63 characters out of a-z, 0-9, _ and -, starts with a letter or digit, and is not digits only'
export const PORT_RULE = 'a port is 1 to 63 characters out of a-z, 0-9, _ and -'

/** Children of /conduit that are not names of services. */
const STRUCTURE = new Set(['flows', 'handoff', 'host-id'])
/** Names that the registrar gives out only where its configuration says so: the directory service's own. */
const RESERVED = new Set([...STRUCTURE, 'jitsud'])

/** The name in lower case (DNS ignores case), or undefined when it cannot be one. */
export function parseName(text: string): string | undefined {
  const name = text.toLowerCase()
  return NAME.test(name) && !DIGITS.test(name) && !STRUCTURE.has(name) ? name : undefined
}

/** Whether only the registrar's configuration can give this name to somebody. */
export const isReservedName = (name: string): boolean => RESERVED.has(name)

/** The port in lower case, or undefined when it cannot be one. */
export function parsePort(text: string): string | undefined {
  const port = text.toLowerCase()
  return PORT.test(port) ? port : undefined
}

/** A port of libxenvchan's own rendezvous, where case counts. */
export const isDirectPort = (text: string): boolean => DIRECT_PORT.test(text)
