// Endpoints in whichever of the three text forms: URI, JSON, s-expression. Which one it is can be told by the first character.
import {
  ENDPOINT_CHARS,
  type Endpoint,
  type EndpointProblem,
  endpointProblem,
  parseEndpointJson,
  show,
} from './endpoint.js'
import { formatEndpointSexp, parseEndpointSexp } from './endpoint-sexp.js'
import { formatEndpointUri, parseEndpointUri } from './endpoint-uri.js'

/** `sexp` is for people, `(TCP (10.0.0.1 80))`; `sexp-machine` what OCaml programs write to each other, `(TCP(10.0.0.1 80))`. */
export type EndpointForm = 'uri' | 'json' | 'sexp' | 'sexp-machine'

/** The endpoint as text; {@link parseEndpointText} reads each form back. */
export function formatEndpointText(endpoint: Endpoint, form: EndpointForm): string {
  switch (form) {
    case 'uri':
      return formatEndpointUri(endpoint)
    case 'json':
      return JSON.stringify(endpoint)
    case 'sexp':
      return formatEndpointSexp(endpoint)
    case 'sexp-machine':
      return formatEndpointSexp(endpoint, { machine: true })
  }
}

/** The endpoint that `text` spells, or what is wrong with it. */
export function parseEndpointText(text: string): Endpoint | EndpointProblem {
  if (text.length > ENDPOINT_CHARS) {
    return endpointProblem(`a text of ${text.length} characters is no endpoint`, `${ENDPOINT_CHARS} are the most`)
  }
  const trimmed = text.trim()
  if (trimmed.startsWith('(')) return parseEndpointSexp(trimmed)
  return trimmed.startsWith('{') ? parseJson(trimmed) : parseEndpointUri(trimmed)
}

function parseJson(text: string): Endpoint | EndpointProblem {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return endpointProblem(`${show(text)} is no JSON`, 'check its quotes and commas')
  }
  return parseEndpointJson(value)
}
