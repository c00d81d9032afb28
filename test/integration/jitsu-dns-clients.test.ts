// The DNS server asked by clients that we did not write: BIND's dig, and c-ares within node's dns.Resolver.
import { Resolver } from 'node:dns/promises'
import { expect } from 'chai'
import { ConduitError } from '../../src/errors.js'
import { type Dig, findDig } from '../support/dig.js'
import { DnsWorld, HOST_ID } from '../support/dns-world.js'
import { eventually } from '../support/eventually.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { ScriptedDnsServer } from '../support/scripted-dns-server.js'

const many = Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
const specs = [
  { name: 'www', addresses: ['192.0.2.1', '2001:db8::1'], ports: { http: 8080 }, state: 'ready' as const },
  { name: 'many', addresses: many, state: 'ready' as const },
  { name: 'slow', addresses: ['192.0.2.3'] },
]
const name = 'www.example.org'

describe('dig against the DNS server', () => {
  let dig: Dig
  let world: DnsWorld
  let port: number
  before(async function () {
    this.timeout(300_000)
    const found = findDig()
    if (typeof found === 'string') {
      if (process.env.CI === 'true') throw new Error(found)
      this.skip()
    }
    dig = found
    world = await DnsWorld.open(specs)
    port = world.server.port
  })
  after(() => world?.close())

  it('reads every type of record', async () => {
    const answers = async (of: string, type: string) => (await dig(port, of, type)).answer
    expect(await answers(name, 'A')).to.deep.equal([`${name}. 60 IN A 192.0.2.1`])
    expect(await answers(name, 'AAAA')).to.deep.equal([`${name}. 60 IN AAAA 2001:db8::1`])
    expect(await answers('example.org', 'NS')).to.deep.equal(['example.org. 60 IN NS ns.example.org.'])
    expect((await answers('example.org', 'SOA'))[0]).to.match(
      /^example\.org\. 60 IN SOA ns\.example\.org\. hostmaster\.example\.org\. [0-9]+ 60 60 120 60$/,
    )
    expect(await answers(`_http._tcp.${name}`, 'SRV')).to.deep.equal([
      `_http._tcp.${name}. 60 IN SRV 0 0 8080 ${name}.`,
    ])
    expect((await dig(port, '-x', '192.0.2.1')).answer).to.deep.equal([`1.2.0.192.in-addr.arpa. 60 IN PTR ${name}.`])
    expect((await dig(port, '-x', '2001:db8::1')).answer[0]).to.match(/ip6\.arpa\. 60 IN PTR www\.example\.org\.$/)
    expect(await answers(`_conduit.${name}`, 'TXT')).to.deep.equal([
      `_conduit.${name}. 60 IN TXT "conduit=www" "host=${HOST_ID}"`,
    ])
    expect(await answers(`_conduit.${name}`, 'SVCB')).to.deep.equal([
      `_conduit.${name}. 60 IN SVCB 1 ${name}. key65280="www" key65282="${HOST_ID}"`,
    ])
    expect(await answers(name, 'ANY')).to.deep.equal([`${name}. 60 IN HINFO "RFC8482" ""`])
  })

  it('sees the flags, the spelling it sent and no OPT unless it sent one', async () => {
    const plain = await dig(port, '+noedns', 'wWw.eXample.ORG')
    expect(plain).to.include({ status: 'NOERROR', flags: 'qr aa rd' })
    expect(plain.answer).to.deep.equal(['wWw.eXample.ORG. 60 IN A 192.0.2.1'])
    expect(plain.question).to.deep.equal([';wWw.eXample.ORG. IN A'])
    expect(plain.output).not.to.contain('OPT PSEUDOSECTION')
    const edns = await dig(port, '+dnssec', '+cookie', '+nsid', '+subnet=192.0.2.0/24', name)
    expect(edns.output).to.contain('; EDNS: version: 0, flags: do; udp: 1232\n;; QUESTION')
    expect((await dig(port, '+norecurse', '+cdflag', name)).flags).to.equal('qr aa cd')
  })

  it('sees NODATA and NXDOMAIN with the SOA, and REFUSED for what is not here', async () => {
    const nodata = await dig(port, name, 'MX')
    const missing = await dig(port, 'nope.example.org')
    expect([nodata.status, missing.status]).to.deep.equal(['NOERROR', 'NXDOMAIN'])
    for (const { answer, authority } of [nodata, missing]) {
      expect(answer).to.deep.equal([])
      expect(authority[0]).to.match(/^example\.org\. 60 IN SOA /)
    }
    expect(await dig(port, 'example.com')).to.include({ status: 'REFUSED', flags: 'qr rd' })
    expect(await dig(port, '-c', 'CH', '-t', 'TXT', 'version.bind')).to.have.property('status', 'REFUSED')
    expect((await dig(port, 'example.org', 'AXFR')).output).to.contain('Transfer failed')
  })

  it('sees BADVERS, and the version it may speak', async () => {
    const { output } = await dig(port, '+edns=1', '+noednsneg', name)
    expect(output).to.contain('status: BADVERS').and.to.contain('EDNS: version: 0')
  })

  it('is told to ask over TCP, and gets all of it there, also in one connection', async () => {
    expect((await dig(port, '+ignore', 'many.example.org')).flags).to.equal('qr aa tc rd')
    const over = await dig(port, 'many.example.org')
    expect(over.output).to.contain('Truncated, retrying in TCP mode').and.to.contain('(TCP)')
    expect(over.answer).to.have.length(500)
    const two = await dig(port, '+tcp', '+keepopen', name, 'many.example.org')
    expect(two.output.match(/IN\s+A\s/g)).to.have.length.above(500)
  })

  it('waits for a service, and is told why when it does not come', async () => {
    const slow = world.services.get('slow')
    const served = dig(port, '+time=50', 'slow.example.org')
    await eventually(() => slow.boots === 1)
    slow.becomeReady()
    expect((await served).answer).to.deep.equal(['slow.example.org. 60 IN A 192.0.2.3'])
    slow.state = 'stopped'
    const failed = dig(port, '+time=50', '+tries=1', 'slow.example.org')
    await eventually(() => slow.boots === 2)
    slow.fail(new ConduitError('BOOT_TIMEOUT', 'too slow'))
    const { status, output } = await failed
    expect(status).to.equal('SERVFAIL')
    expect(output).to.contain('EDE: 14 (Not Ready): (the service did not become ready in time)')
  })

  it('that is stopped by its own timeout leaves the boot alone', async () => {
    const slow = world.services.get('slow')
    slow.state = 'stopped'
    const boots = slow.boots
    expect(await rejectionOf(dig(port, '+time=1', '+tries=1', 'slow.example.org'))).to.be.instanceOf(Error)
    expect([slow.boots, slow.state]).to.deep.equal([boots + 1, 'starting'])
    slow.becomeReady()
    expect((await dig(port, 'slow.example.org')).answer).to.have.length(1)
  })

  it('gets the records of others through a forwarder, of types that are unknown here too', async () => {
    const upstream = await ScriptedDnsServer.listen((asked) => {
      const { name: of } = asked.message.questions[0]!
      asked.answer({
        answers: [
          { name: of, type: 'OTHER', code: 15, class: 1, ttl: 5, data: Buffer.from([0, 10, 2, 0x6d, 0x78, 0xc0, 12]) },
        ],
      })
    })
    const forwarding = await DnsWorld.open(specs, { forward: [upstream.address] })
    try {
      const { answer, flags } = await dig(forwarding.server.port, 'Example.COM', 'MX')
      expect(answer).to.deep.equal(['Example.COM. 5 IN MX 10 mx.Example.COM.'])
      expect(flags).to.equal('qr rd ra')
    } finally {
      await forwarding.close()
      await upstream.close()
    }
  })
})

describe("node's dns.Resolver against the DNS server", () => {
  let world: DnsWorld
  let resolver: Resolver
  before(async () => {
    world = await DnsWorld.open(specs)
    resolver = new Resolver({ timeout: 50_000, tries: 1 })
    resolver.setServers([world.server.address])
  })
  after(async () => {
    resolver.cancel()
    await world.close()
  })

  it('resolves every type it knows', async () => {
    expect(await resolver.resolve4(name, { ttl: true })).to.deep.equal([{ address: '192.0.2.1', ttl: 60 }])
    expect(await resolver.resolve6(name)).to.deep.equal(['2001:db8::1'])
    expect(await resolver.resolveSrv(`_http._tcp.${name}`)).to.deep.equal([
      { name, port: 8080, priority: 0, weight: 0 },
    ])
    expect(await resolver.resolveTxt(`_conduit.${name}`)).to.deep.equal([['conduit=www', `host=${HOST_ID}`]])
    expect(await resolver.resolveNs('example.org')).to.deep.equal(['ns.example.org'])
    expect(await resolver.resolveSoa('example.org')).to.include({
      nsname: 'ns.example.org',
      hostmaster: 'hostmaster.example.org',
      minttl: 60,
    })
    expect(await resolver.reverse('192.0.2.1')).to.deep.equal([name])
    expect(await resolver.resolve4('many.example.org')).to.have.length(500)
  })

  it('tells no such name, no such record and refusal apart', async () => {
    expect(await rejectionOf(resolver.resolve4('nope.example.org'))).to.have.property('code', 'ENOTFOUND')
    expect(await rejectionOf(resolver.resolveMx(name))).to.have.property('code', 'ENODATA')
    expect(await rejectionOf(resolver.resolve4('example.com'))).to.have.property('code', 'EREFUSED')
  })

  it('waits for a service', async () => {
    const slow = world.services.get('slow')
    const answers = Promise.all([resolver.resolve4('slow.example.org'), resolver.resolve4('SLOW.example.org')])
    await eventually(() => slow.askers.length === 2)
    slow.becomeReady()
    expect(await answers).to.deep.equal([['192.0.2.3'], ['192.0.2.3']])
    expect(slow.boots).to.equal(1)
  })
})
