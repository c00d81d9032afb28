// A process's client side: one route per name, waiting for names, and going on through a restart of the store.
import type { NameAddress } from '../../protocol/conduit.js'
import { isConduitError } from '../errors.js'
import type { ConduitContext } from './context.js'
import { nameAppears } from './name-appearance.js'
import { throughOutages } from './outages.js'
import { Route, type RoutedChannel, type RouteRequest } from './route.js'

export interface NameRequest extends RouteRequest {
  /** Wait until somebody holds the name. */
  readonly wait: boolean
}

export class Connector {
  readonly #context: ConduitContext
  readonly #routes = new Map<string, Route>()

  constructor(context: ConduitContext) {
    this.#context = context
  }

  /** @throws ConduitError ENOENT, ECONNREFUSED, ECONNRESET, CONDUIT_MODE, …; the signal's reason. */
  connect(address: NameAddress, request: NameRequest, signal: AbortSignal): Promise<RoutedChannel> {
    return throughOutages(this.#context, signal, async (limit, afterOutage) => {
      for (;;) {
        try {
          return await this.#route(address.name).connect(request, limit)
        } catch (error) {
          // After an outage the holder is registering its name again.
          if (!isConduitError(error, 'ENOENT') || !(request.wait || afterOutage)) throw error
        }
        request.onStep('somebody to hold the name')
        await nameAppears(this.#context, address.name, limit)
      }
    })
  }

  async close(): Promise<void> {
    const routes = [...this.#routes.values()]
    this.#routes.clear()
    await Promise.all(routes.map((route) => route.close()))
  }

  #route(name: string): Route {
    let route = this.#routes.get(name)
    if (route === undefined) {
      const made = new Route(this.#context, name, () => {
        if (this.#routes.get(name) !== made) return
        this.#routes.delete(name)
        this.#context.background.run(made.close())
      })
      route = made
      this.#routes.set(name, made)
    }
    return route
  }
}
