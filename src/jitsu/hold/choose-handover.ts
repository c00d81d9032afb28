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
  options: { readonly signal: AbortSignal; readonly allowHalfOpen: true },
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
  return new StreamHandover({
    ...options,
    keepBytes: config.maxBytes,
    target,
    dial:
      config.handover === 'tcp' ? tcpDialer(target, options.clock) : conduitDialer(target, options.connect ?? connect),
  })
}

type Dial = (signal: AbortSignal, number: number) => Promise<Duplex>

function tcpDialer(target: string, clock: Clock): Dial {
  const address = parseSocketAddress(target)!
  return (signal, number) => dialTcp(address, { clock, signal, number })
}

function conduitDialer(target: string, open: ConnectToService): Dial {
  return (signal) => open(target, { signal, allowHalfOpen: true })
}
