// Names and URIs that resolve without DNS: what is read, which rule is followed, what is said of the rest.
import { expect } from 'chai'
import { formatEndpointUri } from '../../protocol/endpoint-uri.js'
import type { ResolutionStep } from '../../src/resolver/resolution-steps.js'
import { Resolver } from '../../src/resolver/resolver.js'
import type { ResolverParts } from '../../src/resolver/resolver-options.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'

/** No network: a question that reaches DNS fails the test. */
const offline = (options: ResolverParts = {}): Resolver =>
  new Resolver({
    servers: ['192.0.2.1'],
    queryDns: async ({ name }) => {
      throw new Error(`DNS was asked for ${name}`)
    },
    ...options,
  })

const uriOf = async (address: string, options?: ResolverParts): Promise<string> =>
  formatEndpointUri((await offline(options).resolve(address)).endpoint)

describe('the resolver without DNS', () => {
  const LEADS: readonly [string, string][] = [
    ['echo', 'vchan://echo'],
    ['Echo:HTTP', 'vchan://echo/http'],
    ['localhost:80', 'vchan://localhost/80'],
    ['vchan://3/Http', 'vchan://3/Http'],
    ['vchan://echo', 'vchan://echo'],
    ['vchan://echo:http', 'vchan://echo/http'],
    ['www.xen', 'vchan://www'],
    ['WWW.XEN.', 'vchan://www'],
    ['www.xen:http', 'vchan://www/http'],
    ['www.xen:8080', 'vchan://www/8080'],
    ['http://www.xen/', 'vchan://www/http'],
    ['http://www.xen', 'vchan://www/http'],
    ['HTTP://www.xen/a:b@c?d#e', 'vchan://www/http'],
    ['http://www.xen:8080/index.html', 'vchan://www/http'],
    ['https://foo.xen/', 'tls+vchan://foo/https?host=foo.xen'],
    ['imaps://foo.xen', 'tls+vchan://foo/imaps?host=foo.xen'],
    ['ws://foo.xen/chat', 'vchan://foo/http'],
    ['wss://foo.xen/chat', 'tls+vchan://foo/https?host=foo.xen'],
    ['tls://foo.xen:secret', 'tls+vchan://foo/secret?host=foo.xen'],
    ['http://10.0.0.1/', 'tcp://10.0.0.1:80'],
    ['http://10.0.0.1:8080/', 'tcp://10.0.0.1:8080'],
    ['http://10.0.0.1:/', 'tcp://10.0.0.1:80'],
    ['http://[::1]:8080/', 'tcp://[::1]:8080'],
    ['https://[FE80::1%25eth0]/', 'tls+tcp://[fe80::1%25eth0]:443?host=fe80::1%25eth0'],
    ['ldaps://10.0.0.1', 'tls+tcp://10.0.0.1:636?host=10.0.0.1'],
    ['tls://10.0.0.1:8443', 'tls+tcp://10.0.0.1:8443?host=10.0.0.1'],
    ['tcp://127.0.0.1:80', 'tcp://127.0.0.1:80'],
    ['tcp://127.0.0.1:http', 'tcp://127.0.0.1:80'],
    ['tcp://[::1]:80', 'tcp://[::1]:80'],
    ['127.0.0.1:80', 'tcp://127.0.0.1:80'],
    ['127.0.0.1:ssh', 'tcp://127.0.0.1:22'],
    ['[::1]:80', 'tcp://[::1]:80'],
    ['tcp://localhost:80', 'tcp://127.0.0.1:80'],
    ['http://a.LocalHost/', 'tcp://127.0.0.1:80'],
    ['unix:///run/a.sock', 'unix:///run/a.sock'],
    ['tls+unix:///run/a.sock?host=a.example', 'tls+unix:///run/a.sock?host=a.example'],
    ['(TLS(foo.xen(Vchan_domain_socket(foo https))))', 'tls+vchan://foo/https?host=foo.xen'],
    ['{"kind":"tcp","address":"10.0.0.1","port":80}', 'tcp://10.0.0.1:80'],
  ]
  for (const [address, uri] of LEADS) {
    it(`${address} leads to ${uri}`, async () => expect(await uriOf(address)).to.equal(uri))
  }

  it('localhost has both loopback addresses, whatever DNS would say', async () => {
    const { addresses } = await offline().resolve('http://localhost/')
    expect(addresses).to.deep.equal(['127.0.0.1', '::1'])
  })

  const WRONG: readonly [string, 'EINVAL' | 'CONDUIT_NAME' | 'RESOLVER' | 'ENOTFOUND'][] = [
    ['', 'CONDUIT_NAME'],
    ['-a', 'CONDUIT_NAME'],
    ['flows', 'CONDUIT_NAME'],
    ['12', 'CONDUIT_NAME'],
    ['a b', 'CONDUIT_NAME'],
    ['echo:', 'CONDUIT_NAME'],
    ['a.b.xen', 'CONDUIT_NAME'],
    ['http://flows.xen/', 'CONDUIT_NAME'],
    ['vchan://a.b/http', 'CONDUIT_NAME'],
    ['exec:ls', 'EINVAL'],
    ['listen:www.xen', 'EINVAL'],
    ['foo://www.xen/', 'EINVAL'],
    ['http://', 'EINVAL'],
    ['http:///path', 'EINVAL'],
    ['http://www..xen/', 'EINVAL'],
    ['http://www.xen:65536/', 'EINVAL'],
    ['http://www.xen:0/', 'EINVAL'],
    ['http://www.xen:http/', 'EINVAL'],
    ['http://[::1', 'EINVAL'],
    ['http://[10.0.0.1]/', 'EINVAL'],
    ['http://::1/', 'EINVAL'],
    ['http://127.1/', 'EINVAL'],
    ['http://0x7f.1/', 'EINVAL'],
    ['http://10.0.0.256/', 'EINVAL'],
    ['http://10.0.0.1./', 'EINVAL'],
    ['http://a\0b/', 'EINVAL'],
    [`http://${'a'.repeat(64)}.example/`, 'EINVAL'],
    [`http://${'a.'.repeat(127)}example/`, 'EINVAL'],
    ['x'.repeat(9000), 'CONDUIT_NAME'],
    [`http://${'x'.repeat(9000)}`, 'EINVAL'],
    ['x.'.repeat(9000), 'EINVAL'],
    [`tls+tcp://${'x'.repeat(9000)}`, 'EINVAL'],
    ['127.0.0.1', 'EINVAL'],
    ['::1', 'EINVAL'],
    ['tcp://127.0.0.1', 'EINVAL'],
    ['tls://www.xen', 'EINVAL'],
    ['127.0.0.1:nosuchservice', 'EINVAL'],
    ['unix://relative', 'EINVAL'],
    ['(TCP (10.0.0.1))', 'EINVAL'],
    ['tcp://www.xen:80', 'ENOTFOUND'],
    ['unknown:gone%20fishing', 'RESOLVER'],
    ['(Unknown "gone fishing")', 'RESOLVER'],
  ]
  for (const [address, code] of WRONG) {
    it(`${JSON.stringify(address.slice(0, 50))} is ${code}, with a hint`, async () => {
      const error = await expectCode(offline().resolve(address), code)
      expect(error.hint).to.be.a('string').that.is.not.empty
    })
  }

  it('an address that is no string is a TypeError', async () => {
    expect(await rejectionOf(offline().resolve(3 as never))).to.be.instanceOf(TypeError)
  })
})

describe("the resolver's rules", () => {
  it('the longest suffix wins, on label boundaries', async () => {
    const rules = {
      'example.org': '10.0.0.1',
      'www.example.org': '10.0.0.2',
      '.www.example.org': '10.0.0.3',
      org: '10.0.0.4',
    }
    const leads = (host: string) => uriOf(`http://${host}/`, { rules })
    expect(await leads('example.org')).to.equal('tcp://10.0.0.1:80')
    expect(await leads('a.example.org')).to.equal('tcp://10.0.0.1:80')
    expect(await leads('www.example.org')).to.equal('tcp://10.0.0.2:80')
    expect(await leads('a.b.www.example.org')).to.equal('tcp://10.0.0.3:80')
    expect(await leads('notexample.org')).to.equal('tcp://10.0.0.4:80')
  })

  it('a suffix is no suffix of a longer label', async () => {
    const error = await rejectionOf(offline({ rules: { xen: 'conduit' } }).resolve('http://foo.xenon/'))
    expect(error).to.have.property('message', 'DNS was asked for foo.xenon')
  })

  it('a rule may be an endpoint, its text, or a function', async () => {
    const rules: ResolverParts['rules'] = {
      'a.example': { kind: 'unix', path: '/a' },
      'b.example': '(TCP (10.0.0.1 81))',
      'c.example': ({ host, service, port }) => ({ kind: 'unix', path: `/${host}/${service?.name}/${port}` }),
    }
    expect(await uriOf('http://a.example/', { rules })).to.equal('unix:///a')
    expect(await uriOf('https://b.example/', { rules })).to.equal('tls+tcp://10.0.0.1:81?host=b.example')
    expect(await uriOf('http://c.example:8080', { rules })).to.equal('unix:///c.example/http/8080')
  })

  it('a suffix may stand for conduit names, and the default be another than DNS', async () => {
    const rules = { 'guests.example': 'conduit', '': '10.9.9.9' }
    expect(await uriOf('http://www.guests.example/', { rules })).to.equal('vchan://www/http')
    expect(await uriOf('http://anything.at.all/', { rules })).to.equal('tcp://10.9.9.9:80')
  })

  it('a rule that is none is a TypeError that names it', () => {
    expect(() => new Resolver({ rules: { 'a.example': 'nonsense' } })).to.throw(
      TypeError,
      /a\.example.*'conduit', 'dns'/,
    )
  })

  it('a function that answers with no endpoint is a TypeError', async () => {
    const rules = { 'a.example': () => ({ kind: 'tcp' }) as never }
    expect(await rejectionOf(offline({ rules }).resolve('http://a.example/'))).to.be.instanceOf(TypeError)
  })

  it('a rule may say that a name leads nowhere', async () => {
    const rules = { 'a.example': '(Unknown "moved away")' }
    const error = await expectCode(offline({ rules }).resolve('https://a.example/'), 'RESOLVER')
    expect(error.message).to.match(/moved away/)
  })

  it('an abort ends the wait for a function, with the reason of the signal', async () => {
    const controller = new AbortController()
    const rules = {
      'a.example': () => {
        controller.abort(new Error('enough'))
        return new Promise<never>(() => undefined)
      },
    }
    const error = await rejectionOf(offline({ rules }).resolve('http://a.example/', { signal: controller.signal }))
    expect(error).to.have.property('message', 'enough')
  })
})

describe('a user or password in a URI', () => {
  it('is refused, and does not decide which host is meant nor show the password', async () => {
    for (const text of [
      'http://user:secret@www.xen/',
      'http://www.xen\\@evil.example/',
      'tcp://user@127.0.0.1:80',
      'http://@www.xen/',
    ]) {
      const error = await expectCode(offline().resolve(text), 'EINVAL')
      expect(error.hint).to.match(/before @/)
      expect(`${error.message} ${error.endpoint}`).to.not.contain('secret')
    }
  })
})

describe('the steps of a resolution', () => {
  it('have what was done, when it began and how long it took', async () => {
    let now = 1000
    const { steps } = await offline({ now: () => now++ }).resolve('http://www.xen/')
    expect(steps).to.deep.equal([
      { step: 'read', result: 'host www.xen, http, port 80', failed: false, atMs: 1, ms: 1 },
      { step: 'service', result: 'http: TCP port 80, from the table of services', failed: false, atMs: 3, ms: 1 },
      { step: 'rule', result: '.xen: conduit', failed: false, atMs: 5, ms: 1 },
    ])
  })

  it('are told as they are done, also the one that fails', async () => {
    const told: ResolutionStep[] = []
    await expectCode(offline().resolve('http://127.1/', { onStep: (step) => told.push(step) }), 'EINVAL')
    expect(told).to.have.length(1)
    expect(told[0]).to.include({ step: 'read', failed: true })
  })
})
