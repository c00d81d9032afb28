// What a directory says in DNS of a name's conduit: SVCB and TXT at `_conduit.NAME`. Pure; who may be believed is not decided here.
import { NAME_RULE, PORT_RULE, parseName, parsePort } from './conduit-name.js'

/** Where a service is in the store of one physical host. */
export interface ConduitDiscovery {
  /** The conduit name. */
  readonly name: string
  /** A port of that name; undefined: any. */
  readonly port: string | undefined
  /** `/conduit/host-id`: compare it with the own store's. */
  readonly hostId: string
}

/** Keys for private use (RFC 9460 14.3.2: 65280 to 65534). */
export const CONDUIT_SVCB_KEY = { NAME: 65_280, PORT: 65_281, HOST_ID: 65_282 } as const

/** Lists keys that a client must understand (RFC 9460 8). */
const SVCB_MANDATORY = 0

const HOST_ID = /^[0-9a-f]{32}$/

/** Where the records of `name` are: at a label with an underscore, which no host has (RFC 8552). */
export const discoveryName = (name: string): string => `_conduit.${name}`

/** The parameters of SVCB. @throws RangeError for what cannot be a name, a port or a host id */
export function formatDiscoveryParams(discovery: ConduitDiscovery): Map<number, Buffer> {
  const { name, port, hostId } = checked(discovery)
  const params = new Map([[CONDUIT_SVCB_KEY.NAME as number, Buffer.from(name)]])
  if (port !== undefined) params.set(CONDUIT_SVCB_KEY.PORT, Buffer.from(port))
  return params.set(CONDUIT_SVCB_KEY.HOST_ID, Buffer.from(hostId))
}

/** Undefined for parameters of something else, or that demand what is unknown here. */
export function parseDiscoveryParams(params: ReadonlyMap<number, Buffer>): ConduitDiscovery | undefined {
  const mandatory = params.get(SVCB_MANDATORY)
  if (mandatory !== undefined && !understood(mandatory, params)) return undefined
  const text = (key: number): string | undefined => params.get(key)?.toString('latin1')
  return discoveryOf(text(CONDUIT_SVCB_KEY.NAME), text(CONDUIT_SVCB_KEY.PORT), text(CONDUIT_SVCB_KEY.HOST_ID))
}

/** Each listed key must be there, and one of ours. */
function understood(mandatory: Buffer, params: ReadonlyMap<number, Buffer>): boolean {
  const ours: readonly number[] = Object.values(CONDUIT_SVCB_KEY)
  if (mandatory.length === 0 || mandatory.length % 2 !== 0) return false
  const keys = Array.from({ length: mandatory.length / 2 }, (_, i) => mandatory.readUInt16BE(2 * i))
  return keys.every((key) => ours.includes(key) && params.has(key))
}

/** The strings of TXT. @throws RangeError for what cannot be a name, a port or a host id */
export function formatDiscoveryTexts(discovery: ConduitDiscovery): Buffer[] {
  const { name, port, hostId } = checked(discovery)
  const texts = [`conduit=${name}`, ...(port === undefined ? [] : [`port=${port}`]), `host=${hostId}`]
  return texts.map((text) => Buffer.from(text))
}

/** Undefined for texts of something else. Strings that it does not know are passed over, and none may come twice. */
export function parseDiscoveryTexts(texts: readonly Buffer[]): ConduitDiscovery | undefined {
  const fields = new Map<string, string>()
  for (const text of texts) {
    const [, key, value] = /^(conduit|port|host)=(.*)$/s.exec(text.toString('latin1')) ?? []
    if (key === undefined || value === undefined) continue
    if (fields.has(key)) return undefined
    fields.set(key, value)
  }
  return discoveryOf(fields.get('conduit'), fields.get('port'), fields.get('host'))
}

/** Only the canonical spelling: lower case. */
function discoveryOf(
  name: string | undefined,
  port: string | undefined,
  hostId: string | undefined,
): ConduitDiscovery | undefined {
  if (name === undefined || parseName(name) !== name) return undefined
  if (port !== undefined && parsePort(port) !== port) return undefined
  return hostId !== undefined && HOST_ID.test(hostId) ? { name, port, hostId } : undefined
}

function checked(discovery: ConduitDiscovery): ConduitDiscovery {
  const { name, port, hostId } = discovery
  if (parseName(name) !== name) throw new RangeError(`${JSON.stringify(name)}: ${NAME_RULE}`)
  if (port !== undefined && parsePort(port) !== port) throw new RangeError(`${JSON.stringify(port)}: ${PORT_RULE}`)
  if (!HOST_ID.test(hostId)) throw new RangeError(`${JSON.stringify(hostId)}: a host id is 32 hex digits in lower case`)
  return discovery
}
