// What the DNS server says of the directory's names, and in whose name it denies others.
import { expect } from 'chai'
import { CONDUIT_SVCB_KEY } from '../../protocol/conduit-discovery.js'
import { DNS_FLAG, type DnsMessage, type DnsType, rcodeOf } from '../../protocol/dns.js'
import { apexes } from '../../src/jitsu/dns/apexes.js'
import { DnsServer } from '../../src/jitsu/dns/dns-server.js'
import type { UdpAsker } from '../support/dns-asker.js'
import { DnsWorld, HOST_ID } from '../support/dns-world.js'
import { expectCode } from '../support/expect-rejection.js'
import { FakeServices } from '../support/fake-services.js'

const www = {
  name: 'www',
  dns: ['www.example.org', 'web.example.org'],
  addresses: ['192.0.2.1', '2001:db8::1', '192.0.2.2'],
  ports: { http: 8080 },
  state: 'ready' as const,
}
const single = { name: 'single', dns: ['single'], addresses: ['192.0.2.9'], state: 'ready' as const }
const xen = { name: 'counter', dns: ['counter.xen'], addresses: [], state: 'ready' as const }
const two = { name: 'two', dns: ['two.test'], addresses: ['192.0.2.3'], state: 'ready' as const }

describe('the names of the DNS server', () => {
  let world: DnsWorld
  let asker: UdpAsker
  before(async () => {
    world = await DnsWorld.open([www, single, xen, two], { ttl: 30 })
    asker = await world.udp()
  })
  after(() => world.close())

  const ask = (name: string, type: DnsType | number) => asker.ask(name, type)
  const data = async (name: string, type: DnsType) => {
    const message = await ask(name, type)
    expect(rcodeOf(message), name).to.equal(0)
    expect(message.flags & DNS_FLAG.AA).to.equal(DNS_FLAG.AA)
    expect(message.answers.map((record) => [record.name, record.type, record.ttl])).to.deep.equal(
      message.answers.map(() => [name, type, 30]),
    )
    return message.answers
  }
  const denial = (message: DnsMessage) => [
    rcodeOf(message),
    message.answers.length,
    message.authorities.map(({ name, type }) => `${name} ${type}`),
  ]

  it('have the addresses of the service, in their order', async () => {
    for (const name of www.dns) {
      expect(await data(name, 'A')).to.have.deep.nested.property('[0].address', '192.0.2.1')
      expect((await data(name, 'A')).map((record) => 'address' in record && record.address)).to.deep.equal([
        '192.0.2.1',
        '192.0.2.2',
      ])
      expect(await data(name, 'AAAA')).to.have.nested.property('[0].address', '2001:db8::1')
    }
  })

  it('have a conduit: SVCB and TXT at _conduit with its name and host', async () => {
    const [svcb] = await data('_conduit.www.example.org', 'SVCB')
    expect(svcb).to.include({ priority: 1, target: 'www.example.org' })
    expect(svcb)
      .to.have.property('params')
      .that.deep.equals(
        new Map([
          [CONDUIT_SVCB_KEY.NAME, Buffer.from('www')],
          [CONDUIT_SVCB_KEY.HOST_ID, Buffer.from(HOST_ID)],
        ]),
      )
    const [txt] = await data('_conduit.www.example.org', 'TXT')
    expect(txt).to.have.deep.property('texts', [Buffer.from('conduit=www'), Buffer.from(`host=${HOST_ID}`)])
    expect(await data('_conduit.counter.xen', 'SVCB')).to.have.length(1)
  })

  it('have the ports that were configured, as SRV', async () => {
    const [srv] = await data('_http._tcp.web.example.org', 'SRV')
    expect(srv).to.include({ priority: 0, weight: 0, port: 8080, target: 'web.example.org' })
  })

  it('are what their addresses are called', async () => {
    expect(await data('1.2.0.192.in-addr.arpa', 'PTR')).to.have.nested.property('[0].target', 'www.example.org')
    const reverse = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'
    expect(await data(reverse, 'PTR')).to.have.nested.property('[0].target', 'www.example.org')
    expect(denial(await ask('9.9.9.10.in-addr.arpa', 'PTR'))).to.deep.equal([5, 0, []])
  })

  it('have a zone with SOA and NS, whose name server has this address', async () => {
    const [soa] = await data('example.org', 'SOA')
    expect(soa).to.include({ primary: 'ns.example.org', mailbox: 'hostmaster.example.org', minimum: 30 })
    expect(await data('example.org', 'NS')).to.have.nested.property('[0].target', 'ns.example.org')
    expect(await data('ns.example.org', 'A')).to.have.nested.property('[0].address', '127.0.0.1')
    expect(await data('1.2.0.192.in-addr.arpa', 'NS')).to.have.nested.property('[0].target', 'ns.example.org')
    expect(await data('single', 'SOA')).to.have.length(1)
    expect(await data('two.test', 'SOA')).to.have.length(1)
    expect(await data('xen', 'SOA')).to.have.length(1)
  })

  for (const [name, type] of [
    ['www.example.org', 'TXT'],
    ['www.example.org', 'HTTPS'],
    ['example.org', 'A'],
    ['single', 'AAAA'],
    ['counter.xen', 'A'],
    ['_conduit.www.example.org', 'A'],
  ] as const) {
    it(`${name} has no ${type}: no records and the SOA of its zone`, async () => {
      const message = await ask(name, type)
      const apex = name === 'single' ? name : name.endsWith('xen') ? 'xen' : 'example.org'
      expect(denial(message)).to.deep.equal([0, 0, [`${apex} SOA`]])
      expect(message.flags & DNS_FLAG.AA).to.equal(DNS_FLAG.AA)
    })
  }

  it('a name that has others below it exists, without records', async () => {
    expect(denial(await ask('_tcp.www.example.org', 'A'))).to.deep.equal([0, 0, ['example.org SOA']])
    expect(denial(await ask('_tcp.www.example.org', 255))).to.deep.equal([0, 0, ['example.org SOA']])
  })

  for (const name of [
    'nope.example.org',
    'a.b.c.example.org',
    'below.www.example.org',
    'other.xen',
    'x.single',
    'x.two.test',
    'x.1.2.0.192.in-addr.arpa',
  ]) {
    it(`${name} does not exist: NXDOMAIN with the SOA of the zone`, async () => {
      const [rcode, answers, authorities] = denial(await ask(name, 'A'))
      expect([rcode, answers]).to.deep.equal([3, 0])
      expect(authorities).to.have.length(1)
      expect(authorities).to.match(/SOA$/)
    })
  }

  it('names of every length do not exist, with the same SOA, also those whose labels are in it', async () => {
    const [soa] = (await ask('example.org', 'SOA')).answers
    // A label of one byte, and as many as it takes: each length from 2 bytes to 241, of which the apex leaves no more.
    const short = Array.from(
      { length: 240 },
      (_, i) => `${i % 2 === 0 ? '' : 'b'}${'.a'.repeat(1 + (i >> 1)).slice(1)}`,
    )
    const long = ['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63)].join('.')
    for (const front of [...short, long, 'x.ns', 'hostmaster', 'x.hostmaster', 'ns.ns', 'a.b.c.d.e.f']) {
      const { authorities, flags, questions } = await ask(`${front}.example.org`, 'A')
      expect([flags & 15, questions[0]?.name]).to.deep.equal([3, `${front}.example.org`])
      expect(authorities).to.deep.equal([soa])
    }
  })

  for (const name of ['example.com', 'org', '.', 'notexample.org', 'other.test', 'test', 'arpa']) {
    it(`${name} is in none of its zones: REFUSED`, async () => {
      const message = await ask(name, 'A')
      expect(denial(message)).to.deep.equal([5, 0, []])
      expect(message.flags & (DNS_FLAG.AA | DNS_FLAG.RA)).to.equal(0)
    })
  }

  it('the case of the question comes back, in the question and in the records', async () => {
    const message = await ask('wWw.ExAmPlE.oRg', 'A')
    expect(message.questions[0]).to.have.property('name', 'wWw.ExAmPlE.oRg')
    expect(message.answers[0]).to.have.property('name', 'wWw.ExAmPlE.oRg')
    expect((await ask('nOpe.ExAmPlE.oRg', 'A')).authorities[0]).to.have.property('name', 'ExAmPlE.oRg')
    expect((await ask('WWW.EXAMPLE.ORG', 'A')).answers[0]).to.have.property('name', 'WWW.EXAMPLE.ORG')
  })

  it('a name with a dot in a label is another name', async () => {
    expect(rcodeOf(await ask('www\\.example.org', 'A'))).to.equal(5)
    expect(rcodeOf(await ask('w\\000w.example.org', 'A'))).to.equal(3)
  })

  it('change with the services, under a higher serial', async () => {
    const serial = async () => {
      const [soa] = (await ask('example.org', 'SOA')).answers
      return soa?.type === 'SOA' ? soa.serial : undefined
    }
    const earlier = await serial()
    world.services.replace(www, single, xen, two, { name: 'new', addresses: ['192.0.2.77'], state: 'ready' })
    expect(await data('new.example.org', 'A')).to.have.nested.property('[0].address', '192.0.2.77')
    const later = await serial()
    expect(later).to.be.above(earlier!)
    for (let i = 1; i <= 3; i++) {
      world.services.replace(www, single, xen, two)
      expect(await serial()).to.be.at.least(later! + i)
    }
    world.services.replace(www, single, xen, two)
    expect(rcodeOf(await ask('new.example.org', 'A'))).to.equal(3)
  })

  it('for every type there is little', async () => {
    const [hinfo, ...others] = (await ask('www.example.org', 255)).answers
    expect(others).to.deep.equal([])
    expect(hinfo).to.include({ type: 'OTHER', code: 13 })
    expect(hinfo).to.have.deep.property('data', Buffer.from('\x07RFC8482\0'))
  })
})

describe('zones', () => {
  it('are the parents of the names, but no whole top-level domain', () => {
    expect(apexes(['www.example.org', 'a.b.example.com', 'example.net', 'host', 'x.xen'], true)).to.deep.equal([
      'example.org',
      'b.example.com',
      'example.net',
      'host',
      'xen',
    ])
  })

  it('are the names themselves where other names can be asked elsewhere', () => {
    expect(apexes(['www.example.org', 'web.example.org', 'x.xen'], false)).to.deep.equal([
      'www.example.org',
      'web.example.org',
      'x.xen',
    ])
  })

  it('take in those that are below them', () => {
    expect(apexes(['www.example.org', 'example.org', 'a.b.www.example.org'], true)).to.deep.equal(['example.org'])
    expect(apexes(['a.www.example.org', 'www.example.org'], false)).to.deep.equal(['www.example.org'])
  })

  it('without a host id say nothing of conduits, and without an address of their own have no address for the name server', async () => {
    const world = await DnsWorld.open([www], { hostId: undefined, listen: '0.0.0.0:0' })
    try {
      const asker = await world.udp()
      expect(rcodeOf(await asker.ask('_conduit.www.example.org', 'SVCB'))).to.equal(3)
      expect(rcodeOf(await asker.ask('ns.example.org', 'A'))).to.equal(3)
    } finally {
      await world.close()
    }
  })

  it('of an address that many services share have some of their names', async () => {
    const specs = Array.from({ length: 100 }, (_, i) => ({ name: `s${i}`, addresses: ['127.0.0.1'] }))
    const world = await DnsWorld.open(specs)
    try {
      const { answers } = await (await world.udp()).ask('1.0.0.127.in-addr.arpa', 'PTR', { edns: {} })
      expect(answers.map((record) => 'target' in record && record.target)).to.deep.equal(
        specs.slice(0, 16).map(({ name }) => `${name}.example.org`),
      )
    } finally {
      await world.close()
    }
  })

  it('of the longest name there is still have the name, and a SOA', async () => {
    const longest = ['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63), 'd'.repeat(61)].join('.')
    for (const options of [{}, { forward: ['192.0.2.53:53'] }]) {
      const world = await DnsWorld.open([{ ...www, dns: [longest] }], options)
      try {
        const asker = await world.udp()
        expect((await asker.ask(longest, 'A')).answers).to.have.length(2)
        expect((await asker.ask(longest, 'TXT')).authorities).to.have.nested.property('[0].type', 'SOA')
      } finally {
        await world.close()
      }
    }
  })

  for (const name of [
    'a..b',
    'Www.example.org',
    'www.example.org.',
    '',
    '.',
    'a b',
    'a\\.b',
    'x'.repeat(64),
    'bücher.example',
  ]) {
    it(`of ${JSON.stringify(name.slice(0, 20))} (${name.length} characters) are refused with CONFIG`, async () => {
      const services = new FakeServices({ name: 'www', dns: [name] })
      const error = await expectCode(DnsServer.listen({ listen: '127.0.0.1:0', services }), 'CONFIG')
      expect(error.message).to.contain('www')
      expect(error.hint).to.contain('a-z')
      expect(services.listeners).to.equal(0)
    })
  }

  const impossible = [
    { addresses: ['192.0.2.256'] },
    { addresses: ['192.0.2.1', 'fe80::1%eth0'] },
    { addresses: ['www.example.org'] },
    { addresses: Array.from({ length: 2001 }, (_, i) => `10.0.${i >> 8}.${i & 255}`) },
    { ports: { http: 65536 } },
    { ports: { http: 0.5 } },
    { ports: { 'a.b': 80 } },
    { ports: { '': 80 } },
  ]
  for (const wrong of impossible) {
    it(`of a service with ${JSON.stringify(wrong).slice(0, 60)} are refused with CONFIG`, async () => {
      const services = new FakeServices({ name: 'www', ...wrong })
      const error = await expectCode(DnsServer.listen({ listen: '127.0.0.1:0', services }), 'CONFIG')
      expect(error.message).to.contain('service www')
      expect(error.hint).not.to.equal(undefined)
    })
  }
})
