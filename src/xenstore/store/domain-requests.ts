// Requests about domains and about the store itself: introduction, targets, features, quotas, CONTROL. Nearly all are
// for domain 0 only.
import { DOMID_FIRST_RESERVED, type Domid, isDomid } from '../../../protocol/xen.js'
import { domainPath } from '../../../protocol/xenstore-paths.js'
import { decodeStrings, parseXenstoreU32, type XenstoreRequestType } from '../../../protocol/xenstore-wire.js'
import { type DomainRecord, STORE_FEATURES } from './domains.js'
import { STORE_QUOTA_NAMES, type StoreQuotas } from './quotas.js'
import { isPrivileged } from './rights.js'
import { StoreFault } from './store-fault.js'
import {
  exactStrings,
  OK,
  type RequestHandler,
  replyWith,
  type StoreReply,
  type StoreRequest,
} from './store-request.js'

function u32(text: string | undefined): number {
  const value = parseXenstoreU32(text)
  if (value === undefined) throw new StoreFault('EINVAL')
  return value
}

function realDomid(text: string | undefined): Domid {
  const value = u32(text)
  if (!isDomid(value)) throw new StoreFault('EINVAL')
  return value
}

function knownDomain({ connection }: StoreRequest, text: string | undefined): DomainRecord {
  const domain = connection.core.domains.find(realDomid(text))
  if (domain === undefined) throw new StoreFault('ENOENT')
  return domain
}

function guest(request: StoreRequest, text: string | undefined): DomainRecord {
  const domain = knownDomain(request, text)
  if (domain.domid === 0) throw new StoreFault('EINVAL')
  if (!domain.introduced) throw new StoreFault('ENOENT')
  return domain
}

/** Page and port are those of a ring between store and guest; the embedded store has none, so it only checks them. */
function introduce(request: StoreRequest): StoreReply {
  const [domidText, gfn, port] = exactStrings(request.payload, 3)
  const domid = realDomid(domidText)
  if (domid === 0 || !/^-?[0-9]{1,20}$/.test(gfn!)) throw new StoreFault('EINVAL')
  u32(port)
  request.connection.core.introduce(domid)
  return OK
}

function release(request: StoreRequest): StoreReply {
  const { domid } = guest(request, exactStrings(request.payload, 1)[0])
  request.connection.core.release(domid)
  return OK
}

function resume(request: StoreRequest): StoreReply {
  guest(request, exactStrings(request.payload, 1)[0])
  return OK
}

function setTarget(request: StoreRequest): StoreReply {
  const [domid, target] = exactStrings(request.payload, 2)
  const domain = guest(request, domid)
  domain.target = guest(request, target).domid
  return OK
}

function getDomainPath({ payload }: StoreRequest): StoreReply {
  const domid = u32(exactStrings(payload, 1)[0])
  if (domid > 0xffff) throw new StoreFault('EINVAL')
  return replyWith(domainPath(domid))
}

function isDomainIntroduced({ connection, payload }: StoreRequest): StoreReply {
  const domid = u32(exactStrings(payload, 1)[0])
  if (domid >= DOMID_FIRST_RESERVED) return replyWith('F')
  return replyWith(connection.core.domains.find(domid as Domid)?.introduced === true ? 'T' : 'F')
}

function getFeature(request: StoreRequest): StoreReply {
  const { strings } = decodeStrings(request.payload)
  if (strings.length > 1) throw new StoreFault('EINVAL')
  const [domid] = strings
  if (domid === undefined || domid === '') return replyWith(String(request.connection.domain.features))
  if (!isPrivileged(request.connection.caller)) throw new StoreFault('EACCES')
  return replyWith(String(knownDomain(request, domid).features))
}

function setFeature(request: StoreRequest): StoreReply {
  const [domidText, valueText] = exactStrings(request.payload, 2)
  const value = u32(valueText)
  if ((value & ~STORE_FEATURES) !== 0) throw new StoreFault('EINVAL')
  const domain = request.connection.core.domains.record(realDomid(domidText))
  if (domain.introduced) throw new StoreFault('EBUSY')
  domain.features = value
  return OK
}

function quotaName(text: string | undefined): keyof StoreQuotas {
  const name = text === undefined ? undefined : STORE_QUOTA_NAMES.get(text)
  if (name === undefined) throw new StoreFault('EINVAL')
  return name
}

/** Nothing: the names there are; `quota`: the default for new domains; `domid|quota`: that domain's. */
function getQuota(request: StoreRequest): StoreReply {
  const { strings } = decodeStrings(request.payload)
  const { domains } = request.connection.core
  if (strings.length === 0 || (strings.length === 1 && strings[0] === '')) {
    return replyWith([...STORE_QUOTA_NAMES.keys()].join(' '))
  }
  if (strings.length === 1) return replyWith(String(domains.defaultQuotas[quotaName(strings[0])]))
  const [domid, quota] = exactStrings(request.payload, 2)
  return replyWith(String(knownDomain(request, domid).quotas[quotaName(quota)]))
}

function setQuota(request: StoreRequest): StoreReply {
  const { strings } = decodeStrings(request.payload)
  const { domains } = request.connection.core
  const change = { [quotaName(strings.at(-2))]: u32(strings.at(-1)) }
  if (strings.length === 2) domains.defaultQuotas = { ...domains.defaultQuotas, ...change }
  else {
    const domain = knownDomain(request, exactStrings(request.payload, 3)[0])
    domain.quotas = { ...domain.quotas, ...change }
  }
  return OK
}

/** Commands of the embedded store: those that cannot do harm. */
function control({ payload }: StoreRequest): StoreReply {
  const { strings } = decodeStrings(payload)
  if (strings[0] === 'help') return replyWith('check', 'help', 'print <string>')
  if (strings[0] === 'check' && strings.length === 1) return OK
  if (strings[0] === 'print' && strings.length === 2) return OK
  throw new StoreFault('EINVAL')
}

export const domainRequests = {
  INTRODUCE: { privileged: true, handle: introduce },
  RELEASE: { privileged: true, handle: release },
  RESUME: { privileged: true, handle: resume },
  SET_TARGET: { privileged: true, handle: setTarget },
  GET_DOMAIN_PATH: { handle: getDomainPath },
  IS_DOMAIN_INTRODUCED: { privileged: true, handle: isDomainIntroduced },
  GET_FEATURE: { handle: getFeature },
  SET_FEATURE: { privileged: true, handle: setFeature },
  GET_QUOTA: { privileged: true, handle: getQuota },
  SET_QUOTA: { privileged: true, handle: setQuota },
  CONTROL: { privileged: true, handle: control },
} satisfies Partial<Record<XenstoreRequestType, RequestHandler>>
