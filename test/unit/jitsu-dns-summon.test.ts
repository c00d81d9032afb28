// Who asks for a name boots its service, and is answered once it runs.
import { expect } from 'chai'
import { DNS_META_TYPE, DNS_TYPE, type DnsType, type EdnsOption, rcodeOf } from '../../protocol/dns.js'
import { ConduitError } from '../../src/errors.js'
import { decoded, dnsQuestion, UdpAsker } from '../support/dns-asker.js'
import { DnsWorld } from '../support/dns-world.js'
import { eventually, turns } from '../support/eventually.js'

const name = 'www.example.org'
const specs = [
  { name: 'www', ports: { http: 80 } },
  { name: 'other', addresses: ['192.0.2.2'], state: 'ready' as const },
]
const extendedError = (options: readonly EdnsOption[] = []) =>
  options.map(({ code, data }) => [code, data.readUInt16BE(0), data.toString('utf8', 2)])

describe('a query for a stopped service', () => {
  let world: DnsWorld
  const open = async (options = {}) => {
    world = await DnsWorld.open(specs, options)
    return { asker: await world.udp(), www: world.services.get('www') }
  }
  afterEach(() => world.close())

  it('waits until the service is ready, while others are answered', async () => {
    const { asker, www } = await open()
    const waiting = asker.ask(name)
    await eventually(() => www.askers.length === 1)
    const others = await world.udp()
    expect((await others.ask('other.example.org')).answers).to.have.length(1)
    expect((await others.ask(name, 'SOA')).authorities).to.have.length(1)
    expect(asker.unread).to.equal(0)
    www.becomeReady()
    expect((await waiting).answers).to.have.deep.nested.property('[0].address', '192.0.2.1')
    expect(www.askers).to.deep.equal(['dns'])
  })

  for (const type of ['A', 'AAAA', 'TXT', 'SRV', 'SVCB', 'HTTPS'] as DnsType[]) {
    it(`of type ${type} boots it, at its name and at _conduit`, async () => {
      const { asker, www } = await open()
      asker.send(dnsQuestion(name, type))
      asker.send(dnsQuestion(`_conduit.${name}`, type))
      await eventually(() => www.askers.length === 2)
      www.becomeReady()
      expect([await asker.next(), await asker.next()].map((reply) => rcodeOf(decoded(reply)))).to.deep.equal([0, 0])
      expect(www.boots).to.equal(1)
    })
  }

  it('for a port of it boots it', async () => {
    const { asker, www } = await open()
    const answer = asker.ask(`_http._tcp.${name}`, 'SRV')
    await eventually(() => www.boots === 1)
    www.becomeReady()
    expect((await answer).answers).to.have.length(1)
  })

  it('of any other type boots nothing, nor does a query for its zone, its address or a name below it', async () => {
    const { asker, www } = await open()
    for (const type of ['SOA', 'NS', 'PTR', 'CNAME', DNS_META_TYPE.ANY, 15, 43] as const) await asker.ask(name, type)
    for (const below of [`_tcp.${name}`, `below.${name}`, 'example.org', 'ns.example.org'])
      await asker.ask(below, DNS_TYPE.A)
    expect((await asker.ask('1.2.0.192.in-addr.arpa', 'PTR')).answers).to.have.length(1)
    expect(www.askers).to.deep.equal([])
  })

  it('is one boot for a thousand of them, over UDP and TCP, each answered under its own id', async () => {
    const { www } = await open()
    // A socket each hundred: the kernel keeps some 250 datagrams for who does not read at once.
    const askers = [...(await Promise.all(Array.from({ length: 9 }, () => world.udp()))), await world.tcp()]
    for (const [index, asker] of askers.entries()) {
      for (let i = 0; i < 100; i++) asker.send(dnsQuestion(name, i % 2 === 0 ? 'A' : 'AAAA', { id: index * 100 + i }))
      await eventually(() => www.askers.length === (index + 1) * 100)
    }
    expect(world.server.counters.waited).to.equal(1000)
    www.becomeReady()
    const ids = new Set<number>()
    for (const asker of askers) for (let i = 0; i < 100; i++) ids.add(decoded(await asker.next()).id)
    expect(ids.size).to.equal(1000)
    expect([www.boots, ...askers.map(({ unread }) => unread)]).to.deep.equal([1, ...askers.map(() => 0)])
  })

  it('that is sent again while it waits is answered once', async () => {
    const { asker, www } = await open()
    const query = dnsQuestion(name, 'A', { id: 7 })
    for (let i = 0; i < 3; i++) asker.send(query)
    asker.send(dnsQuestion(name, 'A', { id: 8 }))
    await eventually(() => world.server.counters.udpQueries === 4)
    expect(www.askers).to.have.length(2)
    www.becomeReady()
    expect([decoded(await asker.next()).id, decoded(await asker.next()).id]).to.deep.equal([7, 8])
    expect((await asker.onlyThen(Buffer.alloc(0), name)).id).to.equal(0x5afe)
    expect(world.server.counters.repeated).to.equal(2)
    expect((await asker.ask(name, 'A', { id: 7 })).id).to.equal(7)
  })

  it('from two clients under one id is two queries', async () => {
    const { asker, www } = await open()
    const second = await world.udp()
    for (const each of [asker, second]) each.send(dnsQuestion(name, 'A', { id: 7 }))
    await eventually(() => www.askers.length === 2)
    www.becomeReady()
    expect(decoded(await asker.next()).id).to.equal(7)
    expect(decoded(await second.next()).id).to.equal(7)
  })

  for (const [code, text] of [
    ['BOOT_TIMEOUT', 'did not become ready in time'],
    ['BOOT_FAILED', 'could not be started'],
  ] as const) {
    it(`is SERVFAIL after ${code}, and says why to who sent an OPT, without what only the operator may know`, async () => {
      const { asker, www } = await open()
      asker.send(dnsQuestion(name, 'A', { edns: {} }))
      asker.send(dnsQuestion(name, 'A'))
      await eventually(() => www.askers.length === 2)
      www.fail(new ConduitError(code, 'secret: /srv/kernel failed'))
      const [withOpt, plain] = [decoded(await asker.next()), decoded(await asker.next())]
      expect([withOpt, plain].map(rcodeOf)).to.deep.equal([2, 2])
      expect(extendedError(withOpt.edns?.options)).to.deep.equal([[15, 14, `the service ${text}`]])
      expect(plain.edns).to.equal(undefined)
      const again = asker.ask(name)
      await eventually(() => www.boots === 2)
      www.becomeReady()
      expect(rcodeOf(await again)).to.equal(0)
    })
  }

  it('whose client goes away leaves the boot alone', async () => {
    const { www } = await open()
    const [udp, tcp] = [await UdpAsker.open(world.server.port), await world.tcp()]
    udp.send(dnsQuestion(name))
    tcp.send(dnsQuestion(name))
    await eventually(() => www.askers.length === 2)
    await Promise.all([udp.close(), tcp.close()])
    await turns()
    expect(www.state).to.equal('starting')
    www.becomeReady()
    expect((await (await world.udp()).ask(name)).answers).to.have.length(1)
  })

  it('is SERVFAIL where too many wait, and room comes back', async () => {
    const { asker, www } = await open({ maxWaiting: 2 })
    for (const id of [1, 2]) asker.send(dnsQuestion(name, 'A', { id }))
    await eventually(() => www.askers.length === 2)
    const crowded = await asker.ask(name, 'A', { id: 3, edns: {} })
    expect([crowded.id, rcodeOf(crowded)]).to.deep.equal([3, 2])
    expect(extendedError(crowded.edns?.options)).to.deep.equal([[15, 14, 'too many queries wait']])
    expect(www.askers).to.have.length(2)
    www.becomeReady()
    expect([decoded(await asker.next()).id, decoded(await asker.next()).id]).to.deep.equal([1, 2])
    www.state = 'stopped'
    const again = asker.ask(name)
    await eventually(() => www.boots === 2)
    www.becomeReady()
    expect(rcodeOf(await again)).to.equal(0)
  })

  it('that waits when the server is closed gets no answer, and the boot goes on', async () => {
    const { asker, www } = await open()
    asker.send(dnsQuestion(name))
    await eventually(() => www.askers.length === 1)
    await world.server.close()
    expect(world.services.listeners).to.equal(0)
    www.becomeReady()
    await turns()
    expect(asker.unread).to.equal(0)
    expect(world.server.counters.answers).to.deep.equal({})
  })
})

describe('a query for a running service', () => {
  it('counts as use without a summon, unless it is about the zone', async () => {
    const world = await DnsWorld.open(specs)
    try {
      const asker = await world.udp()
      const other = world.services.get('other')
      for (const type of ['A', 'AAAA', 'TXT', 'SOA', 'NS'] as const) await asker.ask('other.example.org', type)
      expect(other.touched).to.equal(3)
      expect(other.askers).to.deep.equal([])
    } finally {
      await world.close()
    }
  })
})
