// Tells a test each step that a program takes: each call into its substrate, each kick, each message to the store, before it
// and after it.
import type { EventChannel, Pages, Substrate } from '../../src/substrate/substrate.js'
import type { XenstoreTransport } from '../../src/xenstore/transport.js'

type Methods<Name extends string> = Record<Name, (...args: never[]) => unknown>

/** Says false once the program is dead: what it does then does nothing, and never returns. */
type Step = () => unknown

const never = () => new Promise<never>(() => undefined)

/** Have `step` called around everything that `substrate` does from now on, and what it gives out. */
export function stepThrough(substrate: Substrate, step: Step): void {
  const around = <T extends object>(method: string, watched: (result: T) => void): void => {
    const methods = substrate as unknown as Record<string, (...args: unknown[]) => Promise<T>>
    const original = methods[method]!.bind(substrate)
    methods[method] = async (...args) => {
      if (step() === false) return never()
      const result = await original(...args)
      watched(result)
      return step() === false ? never() : result
    }
  }
  const pages = (given: Pages) => stepAround(given, 'close', step)
  const channel = (given: EventChannel) => {
    stepAround(given, 'notify', step)
    stepAround(given, 'close', step)
  }
  around<Pages>('share', pages)
  around<Pages>('map', pages)
  around<EventChannel>('listen', channel)
  around<EventChannel>('bind', channel)
  around<XenstoreTransport>('xenstore', (transport) => stepAround(transport, 'send', step))
}

function stepAround<Name extends string>(target: unknown, method: Name, step: Step): void {
  const methods = target as Methods<Name>
  const original = methods[method].bind(target) as (...args: never[]) => unknown
  methods[method] = (...args: never[]): unknown => {
    if (step() === false) return never()
    const result = original(...args)
    if (!(result instanceof Promise)) {
      step()
      return result
    }
    return result.then((value) => (step() === false ? never() : value))
  }
}
