// Where everything of the rendezvous lies in xenstore, and what an event's path names.
// Paths only: values are in conduit-entry.ts, rights are the registrar's business.
import { parseName } from './conduit-name.js'
import { type Domid, isDomid } from './xen.js'

export const CONDUIT_ROOT = '/conduit'
export const DOMAINS_ROOT = '/local/domain'
/** A guest's mailbox, and its vchans by client and port, relative to its own `/local/domain/<domid>`. */
export const MAILBOX_RELATIVE = 'data/conduit'
export const VCHAN_RELATIVE = 'data/vchan'
/** The two keys of a vchan (`xen:tools/libs/vchan/init.c`). */
export const RING_REF_KEY = 'ring-ref'
export const EVENT_CHANNEL_KEY = 'event-channel'
/**
 * Beside the two, with the value `1`: a toolstack wrote them before the server ran. The page is granted when the server raises
 * the port, and not before.
 */
export const PROVISIONED_KEY = 'provisioned'
/** Beside them at vchan://DOMID/PORT: which process serves there. Ours alone: libxenvchan neither writes nor reads it. */
export const PROCESS_KEY = 'process'
export const HOST_ID_PATH = '/conduit/host-id'
/** The mark of the registrar that runs, or ran: below the host id, where no name can be. */
export const REGISTRAR_PATH = '/conduit/host-id/registrar'
export const FLOWS_ROOT = '/conduit/flows'

/** 48 random bits: short enough for libxenvchan's 64-byte path buffer (`xen:tools/libs/vchan/init.c`). */
const CONNECTION_ID = /^[0-9a-f]{12}$/
/** Longest base path whose `/event-channel` still fits that buffer. */
export const DIRECT_PATH_CHARS = 49

export const isConnectionId = (text: string): boolean => CONNECTION_ID.test(text)

export const domainPath = (domid: Domid): string => `${DOMAINS_ROOT}/${domid}`
export const mailboxPath = (domid: Domid): string => `${DOMAINS_ROOT}/${domid}/${MAILBOX_RELATIVE}`
export const namePath = (name: string): string => `${CONDUIT_ROOT}/${name}`
export const listenPath = (name: string): string => `${CONDUIT_ROOT}/${name}/listen`
export const clientPath = (name: string, client: Domid): string => `${CONDUIT_ROOT}/${name}/listen/${client}`
export const flowsPath = (server: Domid): string => `${FLOWS_ROOT}/${server}`
export const vchansPath = (server: Domid): string => `${DOMAINS_ROOT}/${server}/${VCHAN_RELATIVE}`
export const vchanPath = (server: Domid, client: Domid): string => `${vchansPath(server)}/${client}`

/** What a guest asks the registrar: to hold a name, or to be let in to one. */
export type MailboxRequest = 'register' | 'want'

/** Decimal domid without leading zeros, as directories are named; undefined for anything else. */
export function parseDomid(text: string): Domid | undefined {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text)) return undefined
  const value = Number(text)
  return isDomid(value) ? value : undefined
}

/** The part of `path` below `root`, split; undefined when it lies elsewhere, empty for the root itself. */
export function pathBelow(root: string, path: string): string[] | undefined {
  if (path === root) return []
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1).split('/') : undefined
}

export type MailboxEvent =
  /** The mailbox or one of its directories as a whole: look at everything. */
  | { readonly kind: 'all' }
  | { readonly kind: MailboxRequest; readonly name: string }
  /** The registrar's own answers, or nothing of this protocol. */
  | { readonly kind: 'other' }

/**
 * What an event below a domain's mailbox is about. `name` is whatever the guest wrote: check it. Below a wanted name lie the
 * marks of the processes that want it: their business, but for the last of them.
 */
export function parseMailboxEvent(mailbox: string, path: string): MailboxEvent {
  const [directory, name, ...deeper] = pathBelow(mailbox, path) ?? ['elsewhere']
  if (directory === undefined) return { kind: 'all' }
  if (directory !== 'register' && directory !== 'want') return { kind: 'other' }
  if (name === undefined) return { kind: 'all' }
  const mark = directory === 'want' && deeper.length === 1
  return deeper.length === 0 || mark ? { kind: directory, name } : { kind: 'other' }
}

/** What an event below a name's `listen` is about: the directory of a client, or one entry in it. */
export function parseListenEvent(
  listen: string,
  path: string,
): { client: Domid; connectionId: string | undefined } | undefined {
  const parts = pathBelow(listen, path)
  if (parts === undefined || parts.length < 1 || parts.length > 2) return undefined
  const client = parseDomid(parts[0] as string)
  const connectionId = parts[1]
  if (client === undefined || (connectionId !== undefined && !isConnectionId(connectionId))) return undefined
  return { client, connectionId }
}

/** Children of /conduit that are names. */
export const namesAmong = (children: readonly string[]): string[] =>
  children.filter((child) => parseName(child) === child)
