// Endpoints for users of the SDK, as text and back: what protocol/ decodes, with errors of the one class.
import type { Endpoint } from '../protocol/endpoint.js'
import { type EndpointForm, formatEndpointText, parseEndpointText } from '../protocol/endpoint-text.js'
import { ConduitError } from './errors.js'

/**
 * The endpoint that a URI, an object of JSON or ocaml-conduit's s-expression spells.
 * @throws TypeError when it is no string; ConduitError EINVAL
 */
export function parseEndpoint(text: string): Endpoint {
  if (typeof text !== 'string') throw new TypeError(`an endpoint is parsed from a string, not from ${typeof text}`)
  const endpoint = parseEndpointText(text)
  if (!('problem' in endpoint)) return endpoint
  throw new ConduitError('EINVAL', endpoint.problem, { endpoint: text.slice(0, 256), hint: endpoint.hint })
}

const FORMS: ReadonlySet<string> = new Set<EndpointForm>(['uri', 'json', 'sexp', 'sexp-machine'])

/**
 * The endpoint as text, as a URI by default; {@link parseEndpoint} reads each form back.
 * @throws TypeError for a form that there is not
 */
export function formatEndpoint(endpoint: Endpoint, form: EndpointForm = 'uri'): string {
  if (FORMS.has(form)) return formatEndpointText(endpoint, form)
  throw new TypeError(`an endpoint is formatted as ${[...FORMS].join(', ')}, not as ${String(form)}`)
}
