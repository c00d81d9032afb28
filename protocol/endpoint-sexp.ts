// Endpoints as ocaml-conduit prints them (`mirage/ocaml-conduit:src/conduit/conduit.ml`, type endp), and read in its two spellings:
// the tuples of `endp`, and the labelled fields of Lwt-unix (`src/conduit-lwt-unix/conduit_lwt_unix.ml`, type client).
import {
  ENDPOINT_CHARS,
  type Endpoint,
  type EndpointProblem,
  endpointProblem,
  show,
  TLS_DEPTH,
  tcpEndpoint,
  tlsEndpoint,
  unixEndpoint,
  unknownEndpoint,
  vchanDirectEndpoint,
  vchanNameEndpoint,
} from './endpoint.js'
import type { SExpression } from './s-expression.js'
import { formatSexplib, parseSexplib } from './sexplib.js'

const FORMS =
  '(TCP (10.0.0.1 80)), (Unix_domain_socket /p), (Vchan_direct (3 http)), (Vchan_domain_socket (foo http)), (TLS (foo.xen ENDPOINT)) or (Unknown reason)'
/** A list for the constructor and one for its tuple, for each layer of TLS and what is below; labelled fields one more. */
const DEPTH = 2 * TLS_DEPTH + 3
/** How any port is written: ocaml-conduit's names always have one. No port can be called so. */
const ANY_PORT = '*'

/** `(TCP (10.0.0.1 80))`; with `machine` as OCaml's `Sexp.to_string` has it, `(TCP(10.0.0.1 80))`. */
export function formatEndpointSexp(endpoint: Endpoint, options: { machine?: boolean } = {}): string {
  return formatSexplib(sexpOf(endpoint), options)
}

function sexpOf(endpoint: Endpoint): SExpression {
  switch (endpoint.kind) {
    case 'tcp':
      return ['TCP', [endpoint.address, String(endpoint.port)]]
    case 'unix':
      return ['Unix_domain_socket', endpoint.path]
    case 'vchan-direct':
      return ['Vchan_direct', [String(endpoint.domid), endpoint.port]]
    case 'vchan-name':
      return ['Vchan_domain_socket', [endpoint.name, endpoint.port ?? ANY_PORT]]
    case 'tls':
      return ['TLS', [endpoint.host, sexpOf(endpoint.over)]]
    case 'unknown':
      return ['Unknown', endpoint.reason]
  }
}

/** The endpoint that `text` spells, or what is wrong with it. */
export function parseEndpointSexp(text: string): Endpoint | EndpointProblem {
  const value = parseSexplib(text, { chars: ENDPOINT_CHARS, depth: DEPTH })
  return value === undefined
    ? endpointProblem(`${show(text)} is no s-expression of an endpoint`, `use ${FORMS}`)
    : fromSexp(value)
}

function fromSexp(value: SExpression): Endpoint | EndpointProblem {
  const [head, argument, ...more] = typeof value === 'string' ? [] : value
  const parse = typeof head === 'string' ? CONSTRUCTORS[head] : undefined
  const endpoint = parse === undefined || argument === undefined || more.length > 0 ? undefined : parse(argument)
  return endpoint ?? endpointProblem(`${show(formatSexplib(value))} is no endpoint`, `use ${FORMS}`)
}

type Parser = (argument: SExpression) => Endpoint | EndpointProblem | undefined

const parseTls: Parser = (argument) => {
  const labelled = labelledFields(argument, ['Hostname', 'IP', 'Port'])
  if (labelled !== undefined) {
    const [host, address, port] = labelled
    const over = tcpEndpoint(address, decimal(port))
    return 'problem' in over ? over : tlsEndpoint(host, over)
  }
  const [host, inner, ...more] = typeof argument === 'string' ? [] : argument
  if (typeof host !== 'string' || inner === undefined || more.length > 0) return undefined
  const over = fromSexp(inner)
  return 'problem' in over ? over : tlsEndpoint(host, over)
}

const CONSTRUCTORS: Readonly<Record<string, Parser>> = Object.assign(Object.create(null), {
  TCP: (argument) => {
    const fields = pair(argument, ['IP', 'Port'])
    return fields && tcpEndpoint(fields[0], decimal(fields[1]))
  },
  Unix_domain_socket: (argument) => {
    if (typeof argument === 'string') return unixEndpoint(argument)
    // One label alone is no list of fields: `File of string` prints as (File /p).
    const [label, path, ...more] = argument
    return label === 'File' && typeof path === 'string' && more.length === 0 ? unixEndpoint(path) : undefined
  },
  Vchan_direct: (argument) => {
    const fields = pair(argument, ['Domid', 'Port'])
    return fields && vchanDirectEndpoint(decimal(fields[0]), fields[1])
  },
  Vchan_domain_socket: (argument) => {
    const fields = pair(argument, ['Domain_name', 'Port'])
    return fields && vchanNameEndpoint(fields[0], fields[1] === ANY_PORT ? undefined : fields[1])
  },
  TLS: parseTls,
  TLS_native: parseTls,
  OpenSSL: parseTls,
  Unknown: (argument) => (typeof argument === 'string' ? unknownEndpoint(argument) : undefined),
} satisfies Record<string, Parser>)

/** `(a b)`, or `((A a) (B b))` with exactly these labels. */
function pair(argument: SExpression, labels: readonly [string, string]): readonly string[] | undefined {
  const labelled = labelledFields(argument, labels)
  if (labelled !== undefined || typeof argument === 'string') return labelled
  return argument.length === 2 && argument.every((item) => typeof item === 'string') ? argument : undefined
}

function labelledFields(argument: SExpression, labels: readonly string[]): readonly string[] | undefined {
  if (typeof argument === 'string' || argument.length !== labels.length) return undefined
  const values = argument.map((field, index) => {
    const [label, value, ...more] = typeof field === 'string' ? [] : field
    return label === labels[index] && typeof value === 'string' && more.length === 0 ? value : undefined
  })
  return values.every((value) => value !== undefined) ? values : undefined
}

/** OCaml's int_of_string would take more; whoever prints one prints this. The text itself where it is none, for the message. */
const decimal = (text: string | undefined): number | string | undefined =>
  text !== undefined && /^(?:0|[1-9][0-9]{0,8})$/.test(text) ? Number(text) : text
