// What the handlers of requests share: their shape, and reading arguments out of a payload.
import {
  absoluteXenstorePath,
  countedPathBytes,
  isSpecialPath,
  xenstorePathDefect,
} from '../../../protocol/xenstore-paths.js'
import { decodeStrings, encodeStrings } from '../../../protocol/xenstore-wire.js'
import type { Operation } from './operations.js'
import { exceeds } from './quotas.js'
import { isPrivileged } from './rights.js'
import type { StoreConnection } from './store-connection.js'
import { StoreFault } from './store-fault.js'

/** What a handler gets. */
export interface StoreRequest {
  readonly connection: StoreConnection
  readonly payload: Buffer
  /** 0 outside transactions. */
  readonly transactionId: number
  /** On the tree, or on the transaction the request names. */
  readonly operation: Operation
}

export interface StoreReply {
  readonly payload: Uint8Array
  /** Runs once the reply is on its way. */
  readonly afterReply?: () => void
}

export interface RequestHandler {
  readonly privileged?: true
  /** The transaction number is not looked at. */
  readonly ignoresTransaction?: true
  handle(request: StoreRequest): StoreReply
}

export const OK: StoreReply = { payload: encodeStrings(['OK']) }
export const replyWith = (...strings: string[]): StoreReply => ({ payload: encodeStrings(strings) })

/** Exactly `count` NUL-terminated strings. @throws StoreFault EINVAL */
export function exactStrings(payload: Buffer, count: number): string[] {
  const { strings, rest } = decodeStrings(payload)
  if (strings.length !== count || rest.length > 0) throw new StoreFault('EINVAL')
  return strings
}

/** `path` in its absolute form. @throws StoreFault EINVAL when it cannot be a path, or is longer than the caller may use. */
export function absolutePath({ connection }: StoreRequest, path: string | undefined, allowSpecial = false): string {
  if (path === undefined || xenstorePathDefect(path) !== undefined) throw new StoreFault('EINVAL')
  if (isSpecialPath(path) && !allowSpecial) throw new StoreFault('EINVAL')
  const absolute = absoluteXenstorePath(path, connection.domain.domid)
  const { caller, domain } = connection
  if (!isPrivileged(caller) && exceeds(countedPathBytes(absolute), domain.quotas.pathBytes)) {
    throw new StoreFault('EINVAL')
  }
  return absolute
}
