// Requests about nodes: reading, writing, listing, permissions.
import { formatPermission, parsePermission } from '../../../protocol/xenstore-permissions.js'
import {
  decodeStrings,
  encodeStrings,
  XENSTORE_PAYLOAD_MAX,
  type XenstoreRequestType,
} from '../../../protocol/xenstore-wire.js'
import { makeNode, type Operation, readNode, removeNode, setPermissions, writeNode } from './operations.js'
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

const onlyPath = (request: StoreRequest, allowSpecial = false): string =>
  absolutePath(request, exactStrings(request.payload, 1)[0], allowSpecial)

function directory(request: StoreRequest): StoreReply {
  return replyWith(...readNode(request.operation, onlyPath(request)).children)
}

/** `<generation>|` and as many whole names from `offset` on as fit; an empty string follows the last one. */
function directoryPart(request: StoreRequest): StoreReply {
  const [path, offsetText] = exactStrings(request.payload, 2)
  const node = readNode(request.operation, absolutePath(request, path))
  if (!/^[0-9]+$/.test(offsetText!)) throw new StoreFault('EINVAL')
  const names = encodeStrings([...node.children])
  const offset = Math.min(Number(offsetText), names.length)
  const generation = encodeStrings([String(node.generation)])
  const room = XENSTORE_PAYLOAD_MAX - generation.length - 1
  let end = names.length
  if (end - offset > room) end = names.lastIndexOf(0, offset + room - 1) + 1
  const last = end === names.length ? [Buffer.alloc(1)] : []
  return { payload: Buffer.concat([generation, names.subarray(offset, end), ...last]) }
}

function write(request: StoreRequest): StoreReply {
  const end = request.payload.indexOf(0)
  if (end < 0) throw new StoreFault('EINVAL')
  const path = absolutePath(request, request.payload.toString('latin1', 0, end))
  // A copy: the payload is part of a larger buffer, which the node would keep alive.
  writeNode(request.operation, path, new Uint8Array(request.payload.subarray(end + 1)))
  return OK
}

function changePermissions(request: StoreRequest): StoreReply {
  const { strings, rest } = decodeStrings(request.payload)
  const [path, ...entries] = strings
  if (entries.length === 0 || rest.length > 0) throw new StoreFault('EINVAL')
  const permissions = entries.map((entry) => {
    const permission = parsePermission(entry)
    if (permission === undefined) throw new StoreFault('EINVAL')
    return permission
  })
  setPermissions(request.operation, absolutePath(request, path, true), permissions)
  return OK
}

function acknowledge(act: (operation: Operation, path: string) => void): RequestHandler {
  return {
    handle(request) {
      act(request.operation, onlyPath(request))
      return OK
    },
  }
}

export const nodeRequests = {
  DIRECTORY: { handle: directory },
  DIRECTORY_PART: { handle: directoryPart },
  READ: { handle: (request) => ({ payload: readNode(request.operation, onlyPath(request)).value }) },
  GET_PERMS: {
    handle: (request) =>
      replyWith(...readNode(request.operation, onlyPath(request, true)).permissions.map(formatPermission)),
  },
  WRITE: { handle: write },
  MKDIR: acknowledge(makeNode),
  RM: acknowledge(removeNode),
  SET_PERMS: { handle: changePermissions },
} satisfies Partial<Record<XenstoreRequestType, RequestHandler>>
