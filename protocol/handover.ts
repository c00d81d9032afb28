// What jitsud and a process that takes connections over from it say to each other: one message a SOCK_SEQPACKET datagram, u32
// words, little-endian; the descriptor of a connection travels beside its message (SCM_RIGHTS). Pure: encodes and decodes only.

/** Version said in HELLO; jitsud refuses any other. */
export const HANDOVER_VERSION = 1

/** Tells a service where to ask for connections: the path of a unix socket. */
export const HANDOVER_VARIABLE = 'CONDUIT_HANDOVER'

/** Messages by who sends them, and their words. */
export const HandoverType = {
  /** jitsud: number of the connection [its descriptor]. TAKEN or REFUSED answers. */
  CONNECTION: 1,
  /** jitsud, after STOP: no connection comes any more. */
  STOPPED: 2,
  /** jitsud, after HELLO: connections come as they arrive. */
  WELCOME: 3,
  /** jitsud, after HELLO or later, and last: this process is none of those that it launched for the service. */
  FOREIGN: 4,
  /** The process, first and once: version, connections that it took before and still has open. */
  HELLO: 16,
  /** The process: number of the connection that it has from now on. */
  TAKEN: 17,
  /** The process: number of a connection that it had no descriptor left for. */
  REFUSED: 18,
  /** The process: how many connections were closed. */
  CLOSED: 19,
  /** The process: bytes that its connections moved, either way, as low and high word. */
  MOVED: 20,
  /** The process: the first byte that it sent to any of them. */
  FIRST_BYTE: 21,
  /** The process: wants no more connections. STOPPED answers. */
  STOP: 22,
} as const
export type HandoverType = (typeof HandoverType)[keyof typeof HandoverType]

const WORDS: Readonly<Record<HandoverType, number>> = {
  [HandoverType.CONNECTION]: 1,
  [HandoverType.STOPPED]: 0,
  [HandoverType.WELCOME]: 0,
  [HandoverType.FOREIGN]: 0,
  [HandoverType.HELLO]: 2,
  [HandoverType.TAKEN]: 1,
  [HandoverType.REFUSED]: 1,
  [HandoverType.CLOSED]: 1,
  [HandoverType.MOVED]: 2,
  [HandoverType.FIRST_BYTE]: 0,
  [HandoverType.STOP]: 0,
}

/** Longest message. A longer one is nobody's who speaks this. */
export const MAX_HANDOVER_BYTES = 12

export interface HandoverMessage {
  readonly type: HandoverType
  readonly words: readonly number[]
}

export function encodeHandover(type: HandoverType, ...words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * words.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  for (const [index, word] of words.entries()) view.setUint32(4 + 4 * index, word, true)
  return bytes
}

/** Undefined for bytes that are no message. */
export function decodeHandover(bytes: Uint8Array): HandoverMessage | undefined {
  if (bytes.length < 4 || bytes.length % 4 !== 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const type = view.getUint32(0, true) as HandoverType
  const words = Array.from({ length: bytes.length / 4 - 1 }, (_, index) => view.getUint32(4 + 4 * index, true))
  return WORDS[type] === words.length ? { type, words } : undefined
}

/** The two words of a count of bytes, low one first. */
export const splitBytes = (bytes: number): [number, number] => [bytes % 2 ** 32, Math.floor(bytes / 2 ** 32)]

/** The count that two words say; undefined for one that no process can have moved. */
export function joinBytes(low: number, high: number): number | undefined {
  const bytes = low + high * 2 ** 32
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
