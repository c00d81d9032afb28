// HTTP by name: connect() as node's Agents and undici want it.
import type http from 'node:http'
import type https from 'node:https'
import type { EndpointConnectOptions } from './adapters/endpoint-options.js'
import {
  type CreateByUrl,
  EndpointAgent,
  type EndpointAgentOptions,
  EndpointHttpsAgent,
  type UndiciConnector,
  undiciConnector,
} from './adapters/http-agent.js'
import { connect, createConnection } from './open.js'

const createByUrl: CreateByUrl = (options) => createConnection(options)

const connectUrl = (url: string, options: EndpointConnectOptions) => connect(url as `http://${string}`, options)

/**
 * An http.Agent that finds hosts as connect() does: `http://www.xen/` goes through shared memory, other hosts by DNS.
 *
 * @example
 * http.get('http://www.xen/', { agent: new ConduitAgent({ keepAlive: true }) })
 */
export class ConduitAgent extends EndpointAgent {
  constructor(options: http.AgentOptions & EndpointAgentOptions = {}) {
    super(createByUrl, options)
  }
}

/** The same for `https:` URLs, with TLS over whatever the host leads to. Takes TLS's options as https.Agent does. */
export class ConduitHttpsAgent extends EndpointHttpsAgent {
  constructor(options: https.AgentOptions & EndpointAgentOptions = {}) {
    super(createByUrl, options)
  }
}

/** What conduitConnector() takes. */
export type ConduitConnectorOptions = EndpointAgentOptions & Pick<EndpointConnectOptions, 'tls'>

/**
 * A connector for undici, and so for fetch, that finds hosts as connect() does.
 *
 * @example
 * const response = await fetch('http://www.xen/', { dispatcher: new Agent({ connect: conduitConnector() }) })
 */
export const conduitConnector = (options: ConduitConnectorOptions = {}): UndiciConnector =>
  undiciConnector(connectUrl, options)
