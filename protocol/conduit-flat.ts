// ocaml-conduit's flat layout (mirage/ocaml-conduit:src/conduit-mirage/conduit_xenstore.ml): /conduit/<name> = domid, and a
// request is the node /conduit/<server>/<client>/<port>. All of it can be written by anybody.
import { CONDUIT_ROOT } from './conduit-paths.js'

/** How names and requests lie in the store: guarded by the registrar, or as ocaml-conduit has them. */
export type ConduitLayout = 'guarded' | 'flat'

const FLAT_NAME = /^[A-Za-z0-9_-]{1,63}$/
/** What the registrar keeps under a name: no client. */
const LISTEN = 'listen'

/** Whether a child of a name can be a client's name; case counts here. */
export const isFlatName = (text: string): boolean => FLAT_NAME.test(text) && text !== LISTEN

export const flatClientPath = (server: string, client: string): string => `${CONDUIT_ROOT}/${server}/${client}`
export const flatRequestPath = (server: string, client: string, port: string): string =>
  `${flatClientPath(server, client)}/${port}`
