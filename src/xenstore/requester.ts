// Puts a request together: checks what can be checked here, picks the connection, sends. The client's methods are
// written in its terms.
import { xenstorePathDefect } from '../../protocol/xenstore-paths.js'
import { encodeStrings, XENSTORE_PAYLOAD_MAX, type XenstoreRequestType } from '../../protocol/xenstore-wire.js'
import { ConduitError } from '../errors.js'
import { replyNumber, replyStrings } from './replies.js'
import type { RequestChannel } from './request-channel.js'
import type { XenstoreTransaction } from './transaction.js'

/** What every request to the store takes beside its own arguments. */
export interface RequestOptions {
  /** Do it inside this transaction. */
  readonly transaction?: XenstoreTransaction | undefined
  /** Stops waiting for the reply, with the signal's reason; the store may do the request all the same. */
  readonly signal?: AbortSignal | undefined
}

/** Arguments of a request: strings, each with a NUL behind it, then bytes as they are. */
interface Arguments {
  readonly strings: readonly string[]
  readonly bytes?: Uint8Array | undefined
  /** The path, for error texts. */
  readonly endpoint?: string
}

/** @throws ConduitError EINVAL when `path` cannot be a path */
export function checkPath(path: string, allowSpecial = false): void {
  const defect = !allowSpecial && path.startsWith('@') ? '@ names an event, not a node' : xenstorePathDefect(path)
  if (defect === undefined) return
  throw new ConduitError('EINVAL', `${JSON.stringify(path)} is no xenstore path: ${defect}`, { endpoint: path })
}

export class Requester {
  readonly #current: () => RequestChannel

  /** `current` gives the connection, or throws when there is none. */
  constructor(current: () => RequestChannel) {
    this.#current = current
  }

  /** The connection for a request: a transaction's own, which may be gone by now. */
  channel({ transaction }: RequestOptions): RequestChannel {
    if (transaction === undefined) return this.#current()
    if (transaction.ended) throw new TypeError('this transaction has ended')
    return transaction.channel
  }

  /** A request about a node. @throws ConduitError EINVAL when `path` cannot be a path */
  async node(
    type: XenstoreRequestType,
    path: string,
    options: RequestOptions,
    more: { strings?: readonly string[]; bytes?: Uint8Array; allowSpecial?: boolean } = {},
  ): Promise<Buffer> {
    checkPath(path, more.allowSpecial)
    return this.send(type, options, { strings: [path, ...(more.strings ?? [])], bytes: more.bytes, endpoint: path })
  }

  /** A request whose reply is one string. */
  async text(type: XenstoreRequestType, strings: readonly string[], options: RequestOptions): Promise<string> {
    const channel = this.channel(options)
    return replyStrings(channel, await this.send(type, options, { strings }), 1)[0]!
  }

  /** A request whose reply is a decimal number. */
  async number(type: XenstoreRequestType, strings: readonly string[], options: RequestOptions): Promise<number> {
    const channel = this.channel(options)
    return replyNumber(channel, await this.send(type, options, { strings }))
  }

  async send(type: XenstoreRequestType, options: RequestOptions, what: Arguments): Promise<Buffer> {
    const { strings, bytes, endpoint } = what
    if (strings.some((text) => text.includes('\0'))) throw new TypeError(`a NUL in an argument of ${type}`)
    const payload = encodeStrings(strings, bytes)
    // More would make the store cut the connection.
    if (payload.length > XENSTORE_PAYLOAD_MAX) {
      throw new ConduitError('XENSTORE_QUOTA', `xenstore ${type}: ${payload.length} bytes do not fit into a message`, {
        errno: 'E2BIG',
        syscall: type,
        endpoint,
        hint: `path and value together may have ${XENSTORE_PAYLOAD_MAX} bytes; unprivileged domains 2,048 a node`,
      })
    }
    const transactionId = options.transaction?.id ?? 0
    return this.channel(options).request({ type, payload, transactionId, signal: options.signal, endpoint })
  }
}
