// The handover that a configuration asks for.
import type { Duplex } from 'node:stream'
import { type HoldConfig, parseSocketAddress } from '../../../protocol/jitsud-hold-config.js'
import type { Clock } from '../../conduit/clock.js'
import { connect } from '../../open.js'
import type { Service } from '../summon.js'
import { dialTcp } from './dial-tcp.js'
import { FdHandover } from './fd-handover.js'
import type { Handover } from './handover.js'
import { StreamHandover } from './stream-handover.js'
import type { Takers } from './takers.js'

/** Opens a conduit stream to an address such as `www:http`. */
export type ConnectToService = (
  address: string,
  options: { readonly signal: AbortSignal; readonly allowHalfOpen: true; readonly timeoutMs?: number },
) => Promise<Duplex>

export interface HandoverOptions {
  readonly takers?: Takers | undefined
  readonly connect?: ConnectToService | undefined
  readonly clock: Clock
  readonly limitMs: number
}

/** @throws TypeError for `fd` without takers */
export function handoverOf(config: HoldConfig, service: Service, options: HandoverOptions): Handover {
  if (config.handover === 'fd') {
    if (options.takers === undefined) throw new TypeError("a handover of descriptors needs the service's takers")
    return new FdHandover(options.takers, options.limitMs)
  }
  const target = config.target ?? service.name
  const common = { ...options, keepBytes: config.maxBytes, target }
  if (config.handover === 'tcp') return new StreamHandover({ ...common, dial: tcpDialer(target, options.clock) })
  const { connect: open = connect } = options
  return new StreamHandover({
    ...common,
    dial: (signal) => open(target, { signal, allowHalfOpen: true }),
    openChannel: target === service.name ? channelOpener(open) : undefined,
  })
}

type Dial = (signal: AbortSignal, number: number) => Promise<Duplex>

function tcpDialer(target: string, clock: Clock): Dial {
  const address = parseSocketAddress(target)!
  return (signal, number) => dialTcp(address, { clock, signal, number })
}

/** Without a limit of its own: the boot has one, and ends the domain. */
const channelOpener = (open: ConnectToService) => (address: string, signal: AbortSignal) =>
  open(address, { signal, allowHalfOpen: true, timeoutMs: 0 })
