// Decides what a query is answered: from the zones at once, once its service runs, by a forwarder, or with a code. Knows no sockets.
import { DNS_CLASS_IN, DNS_FLAG, DNS_META_TYPE, DNS_RCODE, DNS_TYPE, EXTENDED_ERROR } from '../../../protocol/dns.js'
import { isConduitError } from '../../errors.js'
import type { Service } from '../summon.js'
import { type Answer, bareAnswer } from './answer.js'
import type { Forwarder } from './forwarder.js'
import type { Query } from './query.js'
import type { Zones } from './zones.js'

/** An answer that has to be waited for. It is not begun before {@link Later.start}, and never rejects. */
export interface Later {
  start(): Promise<Answer>
}

/**
 * Who asks for these is about to connect. Not SOA, NS and PTR: those are asked by resolvers and monitors, and must not boot a thing
 * (Jitsu does, for every type).
 */
const SUMMONING: ReadonlySet<number> = new Set([
  DNS_TYPE.A,
  DNS_TYPE.AAAA,
  DNS_TYPE.SRV,
  DNS_TYPE.TXT,
  DNS_TYPE.SVCB,
  DNS_TYPE.HTTPS,
])

/** Types from 128 to 255 are questions about something other than records of that type (RFC 6895 3.1). */
const isMetaType = (type: number): boolean => type >= 128 && type <= 255 && type !== DNS_META_TYPE.ANY

const REFUSED = bareAnswer(DNS_RCODE.REFUSED)
const NOTIMP = bareAnswer(DNS_RCODE.NOTIMP)
const FORMERR = bareAnswer(DNS_RCODE.FORMERR)
const BADVERS = bareAnswer(DNS_RCODE.BADVERS)

export class Responder {
  /** Replaced when the services change. */
  zones: Zones
  readonly #forwarder: Forwarder | undefined

  constructor(zones: Zones, forwarder: Forwarder | undefined) {
    this.zones = zones
    this.#forwarder = forwarder
  }

  respond(query: Query): Answer | Later {
    const refusal = refusalOf(query)
    if (refusal !== undefined) return refusal
    const node = this.zones.node(query.key)
    if (node === undefined) return this.zones.nonexistence(query.key) ?? this.#elsewhere(query)
    const answer = node.answer(query.type)
    const { service } = node
    return service === undefined || !SUMMONING.has(query.type) ? answer : summoned(service, answer)
  }

  /** Who did not ask for recursion wants to know what is kept here, which is nobody's business. */
  #elsewhere(query: Query): Answer | Later {
    const forwarder = this.#forwarder
    if (forwarder === undefined || (query.flags & DNS_FLAG.RD) === 0) return REFUSED
    return forwarder.cached(query) ?? { start: () => forwarder.ask(query) }
  }
}

function refusalOf({ type, class: klass, edns }: Query): Answer | undefined {
  if (edns !== undefined && edns.version > 0) return BADVERS
  if (klass !== DNS_CLASS_IN || type === DNS_META_TYPE.AXFR || type === DNS_META_TYPE.IXFR) return REFUSED
  if (type === DNS_META_TYPE.OPT) return FORMERR
  return isMetaType(type) ? NOTIMP : undefined
}

function summoned(service: Service, answer: Answer): Answer | Later {
  if (service.state === 'ready') {
    service.touch()
    return answer
  }
  return {
    start: async () => {
      try {
        await service.summon('dns')
        return answer
      } catch (error) {
        return notReady(error)
      }
    },
  }
}

/** The text is for strangers: what went wrong is in the directory's log and status. */
function notReady(error: unknown): Answer {
  const text = isConduitError(error, 'BOOT_TIMEOUT')
    ? 'the service did not become ready in time'
    : 'the service could not be started'
  return bareAnswer(DNS_RCODE.SERVFAIL, { code: EXTENDED_ERROR.NOT_READY, text })
}
