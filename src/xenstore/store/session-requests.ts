// Requests about the connection's own state: watches and transactions.
import { domainPath, isRelativePath } from '../../../protocol/xenstore-paths.js'
import { decodeStrings, parseXenstoreU32, type XenstoreRequestType } from '../../../protocol/xenstore-wire.js'
import { exceeds } from './quotas.js'
import { isPrivileged } from './rights.js'
import type { StoreConnection } from './store-connection.js'
import { StoreFault } from './store-fault.js'
import {
  absolutePath,
  exactStrings,
  OK,
  type RequestHandler,
  replyWith,
  type StoreReply,
  type StoreRequest,
} from './store-request.js'
import { StoreTransaction } from './store-transaction.js'
import { pathForWatch, type StoreWatch } from './watch-table.js'

const watchKey = (path: string, token: string): string => `${path}\0${token}`

/** The event that every watch starts with follows the reply, as in C. */
function watch(request: StoreRequest): StoreReply {
  const { connection } = request
  const { strings, rest } = decodeStrings(request.payload)
  const [given, token, depthText] = strings
  if (strings.length < 2 || strings.length > 3 || rest.length > 0) throw new StoreFault('EINVAL')
  const path = absolutePath(request, given, true)
  const depth = depthText === undefined ? undefined : parseXenstoreU32(depthText)
  if (depthText !== undefined && depth === undefined) throw new StoreFault('EINVAL')
  const key = watchKey(path, token!)
  if (connection.watches.has(key)) throw new StoreFault('EEXIST')
  const { caller, domain } = connection
  if (!isPrivileged(caller) && exceeds(domain.watches + 1, domain.quotas.watches)) throw new StoreFault('E2BIG')
  const prefixBytes = isRelativePath(given!) ? domainPath(domain.domid).length + 1 : 0
  const added: StoreWatch = {
    path,
    token: token!,
    depth,
    prefixBytes,
    caller,
    fire: (eventPath) => connection.outbox.event(added, eventPath),
  }
  connection.addWatch(key, added)
  return { ...OK, afterReply: () => added.fire(pathForWatch(added, path)) }
}

function unwatch(request: StoreRequest): StoreReply {
  const [given, token] = exactStrings(request.payload, 2)
  const key = watchKey(absolutePath(request, given, true), token!)
  const found = request.connection.watches.get(key)
  if (found === undefined) throw new StoreFault('ENOENT')
  request.connection.removeWatch(key, found)
  return OK
}

function transactionStart({ connection, transactionId }: StoreRequest): StoreReply {
  if (transactionId !== 0) throw new StoreFault('EBUSY')
  const { caller, core, domain } = connection
  const limited = !isPrivileged(caller)
  if (limited && exceeds(domain.transactions + 1, domain.quotas.transactions)) throw new StoreFault('ENOSPC')
  const transaction = new StoreTransaction(core.tree, limited ? domain.quotas.transactionNodes : 0)
  return replyWith(String(connection.addTransaction(transaction)))
}

/** Whatever comes of it, the number is free afterwards. */
function transactionEnd({ connection, payload, transactionId }: StoreRequest): StoreReply {
  const [verdict] = exactStrings(payload, 1)
  if (verdict !== 'T' && verdict !== 'F') throw new StoreFault('EINVAL')
  const transaction = connection.transactions.get(transactionId)
  if (transaction === undefined) throw new StoreFault('ENOENT')
  connection.removeTransaction(transactionId)
  if (verdict === 'T') transaction.commit((domid, count) => checkOwned(connection, domid, count))
  return OK
}

function checkOwned(connection: StoreConnection, domid: number, count: number): void {
  const { caller, domain } = connection
  if (isPrivileged(caller) || domid !== caller.domid) return
  if (exceeds(count, domain.quotas.nodes)) throw new StoreFault('ENOSPC')
}

function resetWatches({ connection }: StoreRequest): StoreReply {
  connection.reset()
  return OK
}

export const sessionRequests = {
  WATCH: { ignoresTransaction: true, handle: watch },
  UNWATCH: { ignoresTransaction: true, handle: unwatch },
  TRANSACTION_START: { handle: transactionStart },
  TRANSACTION_END: { handle: transactionEnd },
  RESET_WATCHES: { handle: resetWatches },
} satisfies Partial<Record<XenstoreRequestType, RequestHandler>>
