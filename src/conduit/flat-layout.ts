// ocaml-conduit's flat layout, off unless asked for: the two faces of it that the rest of conduit/ uses. It trusts every
// domain: names are claimed, not given, and anybody can read, forge or remove a request.
import { ConduitError } from '../errors.js'
import type { ConduitContext } from './context.js'
import { FlatConnector } from './flat-connector.js'
import { FlatListener } from './flat-listener.js'
import { FlatNames } from './flat-names.js'
import type { ListenHandle } from './listener-table.js'
import type { PortHandler } from './port-handler.js'

export class FlatLayout {
  readonly connector: FlatConnector
  readonly #context: ConduitContext
  readonly #names: FlatNames
  readonly #ports = new Map<string, Set<string | undefined>>()

  constructor(context: ConduitContext) {
    this.#context = context
    this.#names = new FlatNames(context)
    this.connector = new FlatConnector(context, this.#names)
  }

  /** No port: every one that no other server of this process takes. @throws ConduitError EACCES, EADDRINUSE; the signal's reason. */
  async listen(
    name: string,
    port: string | undefined,
    handler: PortHandler,
    signal: AbortSignal,
  ): Promise<ListenHandle> {
    const ports = this.#ports.get(name) ?? new Set()
    if (ports.has(port)) throw listening(name, port)
    this.#ports.set(name, ports.add(port))
    const takes = (asked: string) => (port === undefined ? !ports.has(asked) : asked === port)
    const forget = () => {
      ports.delete(port)
      if (ports.size === 0 && this.#ports.get(name) === ports) this.#ports.delete(name)
    }
    try {
      const listener = await FlatListener.open(this.#context, this.#names, { name, handler, takes }, signal)
      const stop = () => {
        forget()
        listener.stop()
      }
      const release = () => {
        stop()
        return listener.release()
      }
      return { stop, release }
    } catch (error) {
      forget()
      throw error
    }
  }
}

function listening(name: string, port: string | undefined): ConduitError {
  const address = port === undefined ? name : `${name}:${port}`
  return new ConduitError('EADDRINUSE', `this process listens on ${JSON.stringify(address)} already`, {
    endpoint: address,
    hint: 'close the other server first, or listen on another port of the name',
  })
}
