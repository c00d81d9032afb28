// The frames of the xenstore wire: request types, error names, header codec, strings. Pure bytes; says nothing
// about what a request means. Numbers are those of xen/include/public/io/xs_wire.h and docs/misc/xenstore.txt.

/** Message types by name. 20 was RESTRICT and is invalid; 23 to 26 came with Xen 4.21. */
export const XENSTORE_TYPES = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
  GET_FEATURE: 23,
  SET_FEATURE: 24,
  GET_QUOTA: 25,
  SET_QUOTA: 26,
} as const

/** A type that travels on the wire. */
export type XenstoreType = keyof typeof XENSTORE_TYPES
/** A type that a client may ask for. */
export type XenstoreRequestType = Exclude<XenstoreType, 'WATCH_EVENT' | 'ERROR'>

const NAMES_BY_NUMBER: ReadonlyMap<number, XenstoreType> = new Map(
  Object.entries(XENSTORE_TYPES).map(([name, number]) => [number, name as XenstoreType]),
)

/** The name of a type's number, `undefined` for a number that names none. */
export const xenstoreTypeName = (number: number): XenstoreType | undefined => NAMES_BY_NUMBER.get(number)

/**
 * Error names an ERROR message may carry (`xsd_errors` in xs_wire.h). oxenstored sends `EQUOTA` besides, so a client
 * takes any text; a server sends these only.
 */
export type XenstoreErrorName =
  | 'EINVAL'
  | 'EACCES'
  | 'EEXIST'
  | 'EISDIR'
  | 'ENOENT'
  | 'ENOMEM'
  | 'ENOSPC'
  | 'EIO'
  | 'ENOTEMPTY'
  | 'ENOSYS'
  | 'EROFS'
  | 'EBUSY'
  | 'EAGAIN'
  | 'EISCONN'
  | 'E2BIG'
  | 'EPERM'

/** Bytes of the header: type, req_id, tx_id, len, each u32 little-endian. */
export const XENSTORE_HEADER_BYTES = 16
/** Largest payload either way (XENSTORE_PAYLOAD_MAX); more ends the connection. */
export const XENSTORE_PAYLOAD_MAX = 4096
/**
 * Largest reply that a client takes: oxenstored answers DIRECTORY in one message, however long the list
 * (`tools/ocaml/xenstored/process.ml`), where C says E2BIG.
 */
export const XENSTORE_REPLY_MAX = 1 << 20
/** Server feature bits (`server_features` of xs_wire.h). */
export const XENSTORE_FEATURES = { reconnect: 1, error: 2, watchDepth: 4 } as const

/** One message, either way. `type` is the raw number: it comes from the other side and may name nothing. */
export interface XenstoreMessage {
  readonly type: number
  readonly requestId: number
  readonly transactionId: number
  readonly payload: Buffer
}

/** The bytes of one message. @throws RangeError when the payload exceeds {@link XENSTORE_PAYLOAD_MAX}. */
export function encodeXenstoreMessage(message: Omit<XenstoreMessage, 'payload'> & { payload: Uint8Array }): Buffer {
  const { payload } = message
  if (payload.length > XENSTORE_PAYLOAD_MAX) {
    throw new RangeError(`xenstore payload of ${payload.length} bytes exceeds ${XENSTORE_PAYLOAD_MAX}`)
  }
  const frame = Buffer.allocUnsafe(XENSTORE_HEADER_BYTES + payload.length)
  frame.writeUInt32LE(message.type, 0)
  frame.writeUInt32LE(message.requestId, 4)
  frame.writeUInt32LE(message.transactionId, 8)
  frame.writeUInt32LE(payload.length, 12)
  frame.set(payload, XENSTORE_HEADER_BYTES)
  return frame
}

/**
 * `parts`, each followed by a NUL, as bytes; then `tail` as it is. Strings are bytes on this wire, so they are read and
 * written as latin1, which keeps any byte a peer may send.
 */
export function encodeStrings(parts: readonly string[], tail?: Uint8Array): Buffer {
  const head = Buffer.from(parts.map((part) => `${part}\0`).join(''), 'latin1')
  return tail === undefined ? head : Buffer.concat([head, tail])
}

/**
 * The NUL-terminated strings of a payload. `rest` holds the bytes after the last NUL: empty in a well-formed list.
 */
export function decodeStrings(payload: Buffer): { strings: string[]; rest: Buffer } {
  const strings: string[] = []
  let start = 0
  for (let end = payload.indexOf(0); end >= 0; end = payload.indexOf(0, start)) {
    strings.push(payload.toString('latin1', start, end))
    start = end + 1
  }
  return { strings, rest: payload.subarray(start) }
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,9})$/

/** A decimal u32 without sign, blanks or leading zeros; `undefined` for anything else. */
export function parseXenstoreU32(text: string | undefined): number | undefined {
  if (text === undefined || !DECIMAL.test(text)) return undefined
  const value = Number(text)
  return value <= 0xffffffff ? value : undefined
}
