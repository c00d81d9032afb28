// When a service that was launched can be used: the contract, and the choice among the ways to tell.
import type { ReadyConfig, ServiceConfig } from '../../../protocol/jitsud-config.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { InstanceDomains } from '../instance-domains.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { nameRegistered } from './conduit-readiness.js'
import { afterDelay } from './delay-readiness.js'
import { keyWritten } from './key-readiness.js'
import { portAccepts } from './port-readiness.js'

/** The instance that is waited for, and what it can be seen with. */
export interface ReadinessContext {
  readonly service: string
  readonly domains: InstanceDomains
  readonly store: XenstoreClient
  readonly clock: MonotonicClock
  readonly signal: AbortSignal
  /** It has given a first sign of life. May be called again. */
  alive(): void
  /** What is missing, for the message of a timeout. */
  missing(what: string): void
}

/**
 * Resolves when the instance is ready. Leaves nothing behind: no watch, no socket, no timer.
 * @throws the signal's reason
 */
export async function untilReady(config: ServiceConfig, context: ReadinessContext): Promise<void> {
  const stop = context.domains.onChange(() => context.domains.domids.length > 0 && context.alive())
  try {
    await wayOf(config.ready, config, context)
  } finally {
    stop()
  }
}

function wayOf(ready: ReadyConfig, config: ServiceConfig, context: ReadinessContext): Promise<void> {
  switch (ready.when) {
    case 'conduit':
      return nameRegistered(context)
    case 'key':
      return keyWritten(context, ready)
    case 'port':
      // The configuration has one of the two.
      return portAccepts(context, { host: ready.address ?? config.addresses[0]!, port: ready.port })
    case 'delay':
      return afterDelay(context, ready.delaySeconds * 1000)
  }
}
