// Finds the handler of a request. Order of checks as in C xenstored (core.c, process_message): unknown type,
// privilege, transaction; arguments are the handler's.
import { type XenstoreMessage, type XenstoreType, xenstoreTypeName } from '../../../protocol/xenstore-wire.js'
import { domainRequests } from './domain-requests.js'
import { nodeRequests } from './node-requests.js'
import { isPrivileged } from './rights.js'
import { sessionRequests } from './session-requests.js'
import type { StoreConnection } from './store-connection.js'
import { StoreFault } from './store-fault.js'
import type { RequestHandler, StoreReply } from './store-request.js'

const HANDLERS: Partial<Record<XenstoreType, RequestHandler>> = {
  ...nodeRequests,
  ...sessionRequests,
  ...domainRequests,
}

/** Serve one request. @throws StoreFault with the error name to send */
export function serveRequest(connection: StoreConnection, message: XenstoreMessage): StoreReply {
  const name = xenstoreTypeName(message.type)
  const handler = name === undefined ? undefined : HANDLERS[name]
  if (handler === undefined) throw new StoreFault('ENOSYS')
  const { caller, core, domain } = connection
  if (handler.privileged === true && !isPrivileged(caller)) throw new StoreFault('EACCES')
  const transactionId = handler.ignoresTransaction === true ? 0 : message.transactionId
  const view = transactionId === 0 ? core.tree : connection.transactions.get(transactionId)
  if (view === undefined) throw new StoreFault('ENOENT')
  const operation = { view, caller, quotas: domain.quotas }
  return handler.handle({ connection, payload: message.payload, transactionId, operation })
}
