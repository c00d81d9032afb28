// Endpoints in their three text forms, there and back, and what is said of text that is none.
import { expect } from 'chai'
import fc from 'fast-check'
import { type Endpoint, parseEndpointJson, TLS_DEPTH } from '../../protocol/endpoint.js'
import { endpointSchema } from '../../protocol/endpoint-schema.js'
import { formatEndpointSexp, parseEndpointSexp } from '../../protocol/endpoint-sexp.js'
import { type EndpointForm, formatEndpointText, parseEndpointText } from '../../protocol/endpoint-text.js'
import { formatEndpointUri, parseEndpointUri } from '../../protocol/endpoint-uri.js'
import { domid } from '../../protocol/xen.js'
import { endpoints } from '../support/endpoints.js'

const FORMS: readonly EndpointForm[] = ['uri', 'json', 'sexp', 'sexp-machine']

const http: Endpoint = { kind: 'tcp', address: '10.0.0.1', port: 80 }
const foo: Endpoint = { kind: 'vchan-name', name: 'foo', port: 'https' }

/** As ocaml-conduit prints them: one with blanks, one without. */
const PRINTED: readonly [Endpoint, uri: string, sexp: string, machine: string][] = [
  [http, 'tcp://10.0.0.1:80', '(TCP (10.0.0.1 80))', '(TCP(10.0.0.1 80))'],
  [{ kind: 'tcp', address: '::1', port: 443 }, 'tcp://[::1]:443', '(TCP (::1 443))', '(TCP(::1 443))'],
  [
    { kind: 'tcp', address: 'fe80::1%eth0', port: 1 },
    'tcp://[fe80::1%25eth0]:1',
    '(TCP (fe80::1%eth0 1))',
    '(TCP(fe80::1%eth0 1))',
  ],
  [{ kind: 'unix', path: '/run/p' }, 'unix:///run/p', '(Unix_domain_socket /run/p)', '(Unix_domain_socket /run/p)'],
  [
    { kind: 'unix', path: '/a b?é"' },
    'unix:///a%20b%3F%C3%A9%22',
    '(Unix_domain_socket "/a b?\\195\\169\\"")',
    '(Unix_domain_socket"/a b?\\195\\169\\"")',
  ],
  [
    { kind: 'vchan-direct', domid: domid(3), port: 'Http' },
    'vchan://3/Http',
    '(Vchan_direct (3 Http))',
    '(Vchan_direct(3 Http))',
  ],
  [
    { kind: 'vchan-name', name: 'foo', port: 'http' },
    'vchan://foo/http',
    '(Vchan_domain_socket (foo http))',
    '(Vchan_domain_socket(foo http))',
  ],
  [
    { kind: 'vchan-name', name: 'foo', port: undefined },
    'vchan://foo',
    '(Vchan_domain_socket (foo *))',
    '(Vchan_domain_socket(foo *))',
  ],
  [
    { kind: 'tls', host: 'foo.xen', over: foo },
    'tls+vchan://foo/https?host=foo.xen',
    '(TLS (foo.xen (Vchan_domain_socket (foo https))))',
    '(TLS(foo.xen(Vchan_domain_socket(foo https))))',
  ],
  [
    { kind: 'tls', host: 'outer.example', over: { kind: 'tls', host: 'inner.example', over: http } },
    'tls+tls+tcp://10.0.0.1:80?host=outer.example&host=inner.example',
    '(TLS (outer.example (TLS (inner.example (TCP (10.0.0.1 80))))))',
    '(TLS(outer.example(TLS(inner.example(TCP(10.0.0.1 80))))))',
  ],
  [{ kind: 'unknown', reason: 'msg' }, 'unknown:msg', '(Unknown msg)', '(Unknown msg)'],
  [
    { kind: 'unknown', reason: 'no scheme\n' },
    'unknown:no%20scheme%0A',
    '(Unknown "no scheme\\n")',
    '(Unknown"no scheme\\n")',
  ],
  [{ kind: 'unknown', reason: '' }, 'unknown:', '(Unknown "")', '(Unknown"")'],
]

const problemOf = (value: Endpoint | { problem: string }): string | undefined =>
  'problem' in value ? value.problem : undefined

describe('endpoints', () => {
  for (const [endpoint, uri, sexp, machine] of PRINTED) {
    it(`${sexp} is ${uri}, both ways`, () => {
      expect(formatEndpointUri(endpoint)).to.equal(uri)
      expect(formatEndpointSexp(endpoint)).to.equal(sexp)
      expect(formatEndpointSexp(endpoint, { machine: true })).to.equal(machine)
      for (const text of [uri, sexp, machine]) expect(parseEndpointText(text), text).to.deep.equal(endpoint)
    })
  }

  for (const form of FORMS) {
    it(`any endpoint comes back from its text as ${form}`, () => {
      fc.assert(
        fc.property(endpoints(), (endpoint) => {
          expect(parseEndpointText(formatEndpointText(endpoint, form))).to.deep.equal(endpoint)
        }),
      )
    })
  }

  it('a text is a URI, JSON or an s-expression by its first character, blanks aside', () => {
    expect(parseEndpointText('  tcp://10.0.0.1:80\n')).to.deep.equal(http)
    expect(parseEndpointText(' {"kind":"tcp","address":"10.0.0.1","port":80}')).to.deep.equal(http)
    expect(parseEndpointText('\n( TCP\t( 10.0.0.1  80 ) )\n')).to.deep.equal(http)
  })

  it('schemes and hosts ignore case, ports of domains do not', () => {
    expect(parseEndpointUri('TCP://10.0.0.1:80')).to.deep.equal(http)
    expect(parseEndpointUri('VCHAN://Foo/HTTPS')).to.deep.equal(foo)
    expect(parseEndpointUri('vchan://3/Http')).to.have.property('port', 'Http')
    expect(parseEndpointUri('tls+tcp://10.0.0.1:80?host=Foo.XEN')).to.have.property('host', 'foo.xen')
  })

  it('TLS without a host of its own takes the address or name below', () => {
    expect(parseEndpointUri('tls+tcp://10.0.0.1:80')).to.deep.equal({ kind: 'tls', host: '10.0.0.1', over: http })
    expect(parseEndpointUri('tls+vchan://foo/https')).to.deep.equal({ kind: 'tls', host: 'foo', over: foo })
    expect(problemOf(parseEndpointUri('tls+unix:///p'))).to.match(/no host for TLS/)
  })
})

describe("endpoints in ocaml-conduit's other spelling", () => {
  const LABELLED: readonly [string, string][] = [
    ['(TCP((IP 10.0.0.1)(Port 80)))', 'tcp://10.0.0.1:80'],
    ['(Unix_domain_socket (File /p))', 'unix:///p'],
    ['(Vchan_direct ((Domid 3) (Port p)))', 'vchan://3/p'],
    ['(Vchan_domain_socket ((Domain_name foo) (Port http)))', 'vchan://foo/http'],
    ['(TLS ((Hostname foo.example) (IP 10.0.0.1) (Port 443)))', 'tls+tcp://10.0.0.1:443?host=foo.example'],
    ['(TLS_native ((Hostname foo.example) (IP ::1) (Port 443)))', 'tls+tcp://[::1]:443?host=foo.example'],
    ['(OpenSSL ((Hostname foo.example) (IP ::1) (Port 443)))', 'tls+tcp://[::1]:443?host=foo.example'],
  ]
  for (const [sexp, uri] of LABELLED) {
    it(`${sexp} is ${uri}`, () => {
      const endpoint = parseEndpointSexp(sexp)
      if ('problem' in endpoint) expect.fail(endpoint.problem)
      expect(formatEndpointUri(endpoint)).to.equal(uri)
    })
  }

  it("the escapes of OCaml's strings are read in a quoted atom", () => {
    const text = String.raw`(Unknown "\065\x42 \"c\" \\ \n\
        d \195\169é")`
    expect(parseEndpointSexp(text)).to.deep.equal({ kind: 'unknown', reason: 'AB "c" \\ \nd éé' })
  })
})

describe('what is no endpoint', () => {
  const BAD_URIS: readonly [string, RegExp][] = [
    ['', /no endpoint/],
    ['foo', /no endpoint/],
    ['ftp://10.0.0.1:21', /no endpoint/],
    ['tls+', /no endpoint/],
    ['ssl+tcp://10.0.0.1:80', /no endpoint/],
    ['tcp:10.0.0.1:80', /no endpoint/],
    ['tcp://10.0.0.1', /no address and port/],
    ['tcp://localhost:80', /no IP address/],
    ['tcp://127.1:80', /no IP address/],
    ['tcp://10.0.0.1:0', /no TCP port/],
    ['tcp://10.0.0.1:65536', /no TCP port/],
    ['tcp://10.0.0.1:655360', /655360 is no TCP port/],
    ['tcp://::1:80', /no address and port/],
    ['tcp://[10.0.0.1]:80', /no address and port/],
    ['tcp://10.0.0.1:80/path', /no address and port/],
    ['unix://relative', /no path of a socket/],
    ['unix:///a%00b', /no path of a socket/],
    ['unix:///%ff', /cannot be decoded/],
    ['unix:///a?b', /cannot be decoded/],
    [`unix:///${'x'.repeat(107)}`, /has 108 bytes/],
    [`unix:///${'é'.repeat(54)}`, /has 109 bytes/],
    ['vchan://32752/http', /no domid/],
    ['vchan://3', /cannot be a port/],
    ['vchan://3/', /cannot be a port/],
    ['vchan://a.b/http', /cannot be a conduit name/],
    ['vchan://foo/', /cannot be a port/],
    ['vchan://flows/x', /cannot be a conduit name/],
    ['tls+tcp://10.0.0.1:80?host=', /no host for TLS/],
    ['tls+tcp://10.0.0.1:80?host=a&host=b', /more hosts/],
    ['tls+tcp://10.0.0.1:80?name=a', /query/],
    ['tls+tcp://10.0.0.1:80?host=127.1', /no host for TLS/],
    [`${'tls+'.repeat(TLS_DEPTH + 1)}tcp://10.0.0.1:80`, /no endpoint/],
    [`unknown:${'x'.repeat(513)}`, /unreadable/],
  ]
  for (const [uri, problem] of BAD_URIS) {
    it(`the URI ${JSON.stringify(uri.slice(0, 60))} is none`, () =>
      expect(problemOf(parseEndpointUri(uri))).to.match(problem))
  }

  const BAD_SEXPS = [
    '()',
    '(TCP)',
    '(TCP 10.0.0.1 80)',
    '(TCP (10.0.0.1 80) x)',
    '(TCP (10.0.0.1 80 81))',
    '(TCP (10.0.0.1 080))',
    '(TCP (10.0.0.1 0x50))',
    '(TCP ((Port 80) (IP 10.0.0.1)))',
    '(TCP ((IP 10.0.0.1) 80))',
    '(tcp (10.0.0.1 80))',
    '(toString (a b))',
    '(Vchan_direct (-1 http))',
    '(Vchan_domain_socket (a.b http))',
    '(TLS (foo.xen))',
    '(TLS (foo.xen (TCP (10.0.0.1 80)) x))',
    '(Unknown (a b))',
    '(Unknown a) b',
    '(Unknown a',
    '(Unknown a))',
    '(Unknown "a)',
    '(Unknown "\\256")',
    '(Unknown "\\255")',
    '(Unknown "\\q")',
    '(Unknown #|a|#)',
    'Unknown',
    '(((((((((((((((((((((((((',
  ]
  for (const sexp of BAD_SEXPS) {
    it(`the s-expression ${sexp} is none`, () => expect(problemOf(parseEndpointSexp(sexp))).to.be.a('string'))
  }

  const BAD_JSON: readonly [unknown, RegExp][] = [
    [null, /null is no endpoint/],
    [[], /no endpoint/],
    ['tcp', /no endpoint/],
    [{}, /no kind/],
    [{ kind: 'toString' }, /no kind/],
    [{ kind: 'tcp', address: '10.0.0.1' }, /no TCP port/],
    [{ kind: 'tcp', address: '10.0.0.1', port: '80' }, /no TCP port/],
    [{ kind: 'tcp', address: '10.0.0.1', port: 80.5 }, /no TCP port/],
    [{ kind: 'tcp', address: '10.0.0.1', port: 80, host: 'a' }, /have no "host"/],
    [{ kind: 'unix', path: '/\ud800' }, /no path/],
    [{ kind: 'unknown', reason: '\ud800' }, /unreadable/],
    [{ kind: 'vchan-name', name: 'foo', port: null }, /cannot be a port/],
    [{ kind: 'tls', host: 'a b', over: http }, /no host for TLS/],
    [{ kind: 'tls', host: 'a', over: { kind: 'tcp' } }, /no IP address/],
  ]
  for (const [value, problem] of BAD_JSON) {
    it(`the JSON ${JSON.stringify(value)} is none`, () => expect(problemOf(parseEndpointJson(value))).to.match(problem))
  }

  it('JSON that nests without end costs no stack', () => {
    let value: unknown = http
    for (let i = 0; i < 100_000; i++) value = { kind: 'tls', host: 'a', over: value }
    expect(problemOf(parseEndpointJson(value))).to.match(/too many times/)
  })

  it('no text at all makes a parser throw', () => {
    const fragment = fc.constantFrom(
      '(',
      ')',
      'tcp://',
      'tls+',
      'TCP',
      '"',
      '\\',
      '?host=',
      '%',
      '{',
      '[::1]:',
      ' ',
      '1',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fragment).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const value = parseEndpointText(text)
        if (!('problem' in value)) expect(parseEndpointText(formatEndpointText(value, 'uri'))).to.deep.equal(value)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the zod schema of an endpoint', () => {
  it('takes the object and every text form', () => {
    for (const form of FORMS) expect(endpointSchema.parse(formatEndpointText(foo, form))).to.deep.equal(foo)
    expect(endpointSchema.parse({ kind: 'vchan-name', name: 'foo', port: 'https' })).to.deep.equal(foo)
  })

  it('says what is wrong and what would be right', () => {
    const { error } = endpointSchema.safeParse('tcp://localhost:80')
    expect(error?.issues[0]?.message).to.match(/"localhost" is no IP address: TCP endpoints hold/)
  })
})
