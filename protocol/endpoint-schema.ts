// The endpoint as a zod schema, for configuration files: an object, or any of the text forms. The decoders decide, so that
// there is one set of rules.
import { z } from 'zod'
import { type Endpoint, parseEndpointJson } from './endpoint.js'
import { parseEndpointText } from './endpoint-text.js'

/** Takes JSON's form, a URI, or ocaml-conduit's s-expression; gives the value. */
export const endpointSchema = z.unknown().transform((value, context): Endpoint => {
  const endpoint = typeof value === 'string' ? parseEndpointText(value) : parseEndpointJson(value)
  if (!('problem' in endpoint)) return endpoint
  context.addIssue({ code: 'custom', message: `${endpoint.problem}: ${endpoint.hint}` })
  return z.NEVER
})
