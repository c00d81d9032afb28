// The control protocol between a process and the local hypervisor: one message a SOCK_SEQPACKET datagram, an
// 8-byte header and then u32 words, all little-endian, so that a C library can speak it with plain structs.
// Descriptors travel beside the bytes (SCM_RIGHTS), in the order said here. Pure: encodes and decodes only.

/** Version said in ATTACH; the hypervisor refuses any other. */
export const CONTROL_VERSION = 1

/** Where the hypervisor listens, below the runtime directory. */
export const CONTROL_SOCKET_NAME = 'control'
/** Where Debian's xenstore tools find the store: `XENSTORED_RUNDIR` is the runtime directory (xen-tools/xenstore-common.h). */
export const XENSTORE_SOCKET_NAME = 'socket'
/** A domain's own store, `xs<domid>`: made on request, for the process of that domain alone. No longer than the control socket's. */
export const DOMAIN_STORE_PREFIX = 'xs'
export const domainStoreName = (domid: number): string => `${DOMAIN_STORE_PREFIX}${domid}`
/** Below `/local/domain/<domid>`: the process that attached as it, by SO_PEERCRED; written by the hypervisor, for dom0 to read. */
export const DOMAIN_PROCESS_KEY = 'pid'
/** Its exclusive flock is held by the hypervisor for as long as it lives. */
export const LOCK_FILE_NAME = 'lock'
/** High-water mark of domids handed out, for the next instance after a crash. */
export const DOMID_FILE_NAME = 'next-domid'

/** "No offset", "any domid": a word that means nothing is given. */
export const NONE = 0xffffffff

/** Most references in one MAP: both 1 MiB rings and the control page of the largest vchan (protocol/vchan-page.ts). */
export const MAX_MAP_GREFS = 1024
/** Header bytes: u16 type, u16 status, u32 sequence number. */
export const CONTROL_HEADER_BYTES = 8
export const MAX_CONTROL_BYTES = CONTROL_HEADER_BYTES + 4 * (5 + 3 * MAX_MAP_GREFS)

/**
 * Requests (process to hypervisor) are answered by a message of the same type and sequence number; a push (hypervisor to
 * process) has sequence number 0. Words of request → words of answer; descriptors in brackets.
 */
export const ControlType = {
  /** version, domid wanted or NONE → domid */
  ATTACH: 1,
  /** first gref, pages, peer, writable 0|1, notify byte offset or NONE [memfd] → */
  GRANT: 2,
  /** first gref → */
  UNGRANT: 3,
  /** peer, writable 0|1, notify byte offset in the mapping or NONE, map id, then one gref a page → (index into the
   *  descriptors, first page in that file, pages, the owner's notify byte offset in that file or NONE) for each segment [memfds] */
  MAP: 4,
  /** map id → */
  UNMAP: 5,
  /** port, peer [eventfd the owner reads, eventfd the binder reads] → */
  LISTEN: 6,
  /** peer, its port, own port → [eventfd to read, eventfd to write] */
  BIND: 7,
  /** port → */
  CLOSE_PORT: 8,
  /** → [stream socket, a connection to the store with this domain's rights] */
  XENSTORE: 9,
  /** push: domid [one end of a socket pair whose other end that domain holds: its hang-up is the domain's death].
   *  As a request, domid →: an end was lost on its way or has hung up, so the next MAP or BIND between the two is to bring another */
  PEER: 10,
  /** push: first gref, byte offset in the share, map id, peer: clear that byte when the peer dies */
  MAPPED: 11,
  /** push: first gref, map id, peer: the peer has unmapped, and cleared the byte itself */
  UNMAPPED: 12,
  /** → ; there is a socket `xs<domid>` in the runtime directory from then on, at which this process, and no other, finds
   *  the store with this domain's rights: for libxenstore, which takes a path and no descriptor */
  STORE_SOCKET: 13,
} as const
export type ControlType = (typeof ControlType)[keyof typeof ControlType]

export const ControlStatus = {
  OK: 0,
  BAD_GRANT: 1,
  LIMIT: 2,
  BAD_PORT: 3,
  DOMID_TAKEN: 4,
  BAD_VERSION: 5,
  BAD_MESSAGE: 6,
  /** The hypervisor may open no more descriptors. */
  NO_DESCRIPTORS: 7,
} as const
export type ControlStatus = (typeof ControlStatus)[keyof typeof ControlStatus]

/** Fewest words in a request or push of each type; more is an error but for MAP. */
const WORDS: Record<ControlType, number> = {
  1: 2,
  2: 5,
  3: 1,
  4: 5,
  5: 1,
  6: 2,
  7: 3,
  8: 1,
  9: 0,
  10: 1,
  11: 4,
  12: 3,
  13: 0,
}

export interface ControlMessage {
  readonly type: ControlType
  readonly status: ControlStatus
  readonly sequence: number
  readonly words: readonly number[]
}

/** @throws RangeError when there are more words than a message can hold. */
export function encodeControl(message: ControlMessage): Uint8Array {
  const bytes = new Uint8Array(CONTROL_HEADER_BYTES + 4 * message.words.length)
  if (bytes.length > MAX_CONTROL_BYTES) throw new RangeError(`control message of ${bytes.length} bytes`)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, message.type, true)
  view.setUint16(2, message.status, true)
  view.setUint32(4, message.sequence, true)
  message.words.forEach((word, index) => {
    view.setUint32(CONTROL_HEADER_BYTES + 4 * index, word, true)
  })
  return bytes
}

/** The message in `bytes`, or undefined when they are none: the other side is not trusted to be well-formed. */
export function decodeControl(bytes: Uint8Array): ControlMessage | undefined {
  const body = bytes.length - CONTROL_HEADER_BYTES
  if (body < 0 || body % 4 !== 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const type = view.getUint16(0, true)
  const status = view.getUint16(2, true)
  if (WORDS[type as ControlType] === undefined || status > ControlStatus.NO_DESCRIPTORS) return undefined
  const words = Array.from({ length: body / 4 }, (_, index) => view.getUint32(CONTROL_HEADER_BYTES + 4 * index, true))
  return { type: type as ControlType, status: status as ControlStatus, sequence: view.getUint32(4, true), words }
}

/** Whether a request or push has the words its type needs (an answer's words are its receiver's to check). */
export function isWellFormed(message: ControlMessage): boolean {
  const wanted = WORDS[message.type]
  return message.type === ControlType.MAP
    ? message.words.length >= wanted && message.words.length <= wanted - 1 + MAX_MAP_GREFS
    : message.words.length === wanted
}
