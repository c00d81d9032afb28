// What keeps the DNS server from being a weapon or a store: the limit of answers, and the bounds of what it remembers.
import { expect } from 'chai'
import { DNS_FLAG, DNS_RCODE, type DnsRecord, encodeDnsMessage } from '../../protocol/dns.js'
import { DnsServer } from '../../src/jitsu/dns/dns-server.js'
import { ForwardCache } from '../../src/jitsu/dns/forward-cache.js'
import { ForwardedAnswer } from '../../src/jitsu/dns/forwarded-answer.js'
import { RateLimit } from '../../src/jitsu/dns/rate-limit.js'
import { queryDns } from '../../src/resolver/dns-client.js'
import { dnsQuestion } from '../support/dns-asker.js'
import { DnsWorld } from '../support/dns-world.js'
import { eventually } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { FakeServices } from '../support/fake-services.js'

describe('the limit of answers', () => {
  const times = (limit: RateLimit, address: string, nowMs: number, count: number) => {
    const decisions = Array.from({ length: count }, () => limit.decide(address, nowMs))
    return ['send', 'slip', 'drop'].map((decision) => decisions.filter((each) => each === decision).length)
  }

  it('lets so many out a second, and of the others every second one truncated', () => {
    const limit = new RateLimit({ answersPerSecond: 10 })
    expect(times(limit, '192.0.2.1', 0, 20)).to.deep.equal([10, 5, 5])
    expect(times(limit, '198.51.100.1', 0, 5)).to.deep.equal([5, 0, 0])
  })

  it('takes a network for one client: /24 of IPv4, /56 of IPv6', () => {
    const limit = new RateLimit({ answersPerSecond: 2, slip: 0 })
    for (const [used, same, other] of [
      ['192.0.2.1', '192.0.2.200', '192.0.3.1'],
      ['2001:db8:0:100::1', '2001:db8:0:1ff::2', '2001:db8:0:200::1'],
    ] as const) {
      expect(times(limit, used, 0, 3)).to.deep.equal([2, 0, 1])
      expect(times(limit, same, 0, 1)).to.deep.equal([0, 0, 1])
      expect(times(limit, other, 0, 1)).to.deep.equal([1, 0, 0])
    }
    expect(times(limit, '::ffff:192.0.2.7', 0, 1)).to.deep.equal([0, 0, 1])
  })

  it('is earned back with time, and by who went on asking only after the window', () => {
    const limit = new RateLimit({ answersPerSecond: 10, slip: 0, windowSeconds: 5 })
    expect(times(limit, '192.0.2.1', 0, 11)).to.deep.equal([10, 0, 1])
    expect(times(limit, '192.0.2.1', 1000, 10)[0]).to.equal(9)
    times(limit, '192.0.2.1', 1000, 1000)
    expect(times(limit, '192.0.2.1', 5000, 1)).to.deep.equal([0, 0, 1])
    expect(times(limit, '192.0.2.1', 7000, 1)).to.deep.equal([1, 0, 0])
  })

  it('does not hold for this machine unless asked to', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
      expect(times(new RateLimit({ answersPerSecond: 1 }), address, 0, 9)).to.deep.equal([9, 0, 0])
      expect(times(new RateLimit({ answersPerSecond: 1, loopback: true, slip: 0 }), address, 0, 9)).to.deep.equal([
        1, 0, 8,
      ])
    }
  })

  it('remembers 20,000 networks at most, and forgets who was quiet longest', () => {
    const limit = new RateLimit({ answersPerSecond: 1, slip: 0 })
    const address = (i: number) => `${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.1`
    for (let i = 0; i < 20_000; i++) limit.decide(address(i), 0)
    limit.decide(address(0), 0)
    for (let i = 20_000; i < 20_010; i++) limit.decide(address(i), 0)
    expect(limit.size).to.equal(20_000)
    expect(limit.decide(address(0), 0)).to.equal('drop')
    expect(limit.decide(address(1), 0)).to.equal('send')
  })

  it('cannot be set to what makes no sense', () => {
    for (const options of [
      { answersPerSecond: 0 },
      { answersPerSecond: Number.NaN },
      { slip: -1 },
      { slip: 0.5 },
      { windowSeconds: -1 },
    ]) {
      expect(() => new RateLimit(options)).to.throw(RangeError)
    }
  })

  it('truncates and drops what a flood asks over UDP, whatever it asks, and leaves TCP alone', async () => {
    const world = await DnsWorld.open([{ name: 'www', state: 'ready' }], {
      rateLimit: { answersPerSecond: 20, loopback: true },
    })
    try {
      const asker = await world.udp()
      const { counters } = world.server
      for (let i = 0; i < 100; i++)
        asker.send(i % 4 === 0 ? Buffer.alloc(12) : dnsQuestion('www.example.org', 'A', { edns: {} }))
      await eventually(() => counters.udpQueries === 100)
      const sent = Object.values(counters.answers).reduce((sum, count) => sum + count, 0)
      expect(sent).to.equal(20)
      expect(counters.rateDropped + counters.rateSlipped).to.equal(80)
      for (let i = 0; i < 20; i++) await asker.next()
      const slipped = await asker.next()
      expect([slipped.readUInt16BE(2) & DNS_FLAG.TC, slipped.readUInt16BE(6)]).to.deep.equal([DNS_FLAG.TC, 0])
      const tcp = await world.tcp()
      for (let i = 0; i < 50; i++) expect((await tcp.ask('www.example.org')).answers).to.have.length(1)
      world.advance(15_000)
      world.advance(1000)
      while (asker.unread > 0) await asker.next()
      expect((await asker.ask('www.example.org')).answers).to.have.length(1)
    } finally {
      await world.close()
    }
  })
})

describe('the cache of forwarded answers', () => {
  const name = 'mail.example.com'
  const answer = (parts: { answers?: DnsRecord[]; authorities?: DnsRecord[]; rcode?: number; type?: number }) => {
    const { answers = [], authorities = [], rcode = 0, type = 1 } = parts
    const made = ForwardedAnswer.from(
      encodeDnsMessage({ flags: DNS_FLAG.QR | rcode, questions: [{ name, type, class: 1 }], answers, authorities }),
    )
    if ('problem' in made) throw new Error(made.problem)
    return made
  }
  const a = (ttl: number): DnsRecord => ({ name, type: 'A', ttl, address: '192.0.2.1' })
  const soa = (ttl: number, minimum: number): DnsRecord => ({
    name: 'example.com',
    type: 'SOA',
    ttl,
    primary: '.',
    mailbox: '.',
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum,
  })
  const cname: DnsRecord = { name, type: 'CNAME', ttl: 40, target: 'other.example.com' }
  const ns: DnsRecord = { name: 'example.com', type: 'NS', ttl: 500, target: 'ns.example.com' }

  it('keeps an answer for the least of its TTLs, a day at most', () => {
    expect(answer({ answers: [a(100), a(50)] }).ttl).to.equal(50)
    expect(answer({ answers: [a(1e6)] }).ttl).to.equal(86_400)
    expect(answer({ answers: [a(0)] }).ttl).to.equal(0)
    expect(answer({ answers: [a(0x80000000)] }).ttl).to.equal(0)
    expect(answer({ answers: [cname, a(100)] }).ttl).to.equal(40)
    expect(answer({ answers: [cname], type: 255 }).ttl).to.equal(40)
  })

  it('keeps a denial for the SOA and its minimum, three hours at most, and nothing that has none', () => {
    expect(answer({ authorities: [soa(100, 60)] }).ttl).to.equal(60)
    expect(answer({ authorities: [soa(30, 60)], rcode: DNS_RCODE.NXDOMAIN }).ttl).to.equal(30)
    expect(answer({ authorities: [soa(90_000, 90_000)] }).ttl).to.equal(10_800)
    expect(answer({ answers: [cname], authorities: [soa(100, 60)] }).ttl).to.equal(40)
    expect(answer({}).ttl).to.equal(0)
    expect(answer({ authorities: [ns] }).ttl).to.equal(0)
    expect(answer({ answers: [cname] }).ttl).to.equal(0)
    expect(answer({ answers: [a(100)], rcode: DNS_RCODE.NXDOMAIN }).ttl).to.equal(0)
  })

  it('holds 10,000 answers and 16 MiB at most, and lets go of what was not used longest', () => {
    const cache = new ForwardCache()
    const small = answer({ answers: [a(100)] })
    for (let i = 0; i < 10_000; i++) cache.set(`k${i}`, small, 0)
    expect(cache.get('k0', 0)).to.equal(small)
    cache.set('more', small, 0)
    expect([cache.size, cache.get('k1', 0), cache.get('k0', 0)]).to.deep.equal([10_000, undefined, small])
    const texts = Array.from({ length: 200 }, () => Buffer.alloc(255))
    const large = answer({ answers: [{ name, type: 'TXT', ttl: 100, texts }], type: 16 })
    for (let i = 0; i < 1000; i++) cache.set(`large${i}`, large, 0)
    expect(cache.bytes).to.be.at.most(16 * 1024 * 1024)
    expect(cache.get('large999', 0)).to.equal(large)
  })

  it('forgets what is over, and what replaces it costs no more', () => {
    const cache = new ForwardCache()
    cache.set('k', answer({ answers: [a(10)] }), 0)
    const { bytes } = cache
    cache.set('k', answer({ answers: [a(20)] }), 0)
    expect(cache.bytes).to.equal(bytes)
    cache.set('k', answer({ answers: [a(0)] }), 0)
    expect([cache.size, cache.bytes]).to.deep.equal([0, 0])
    cache.set('k', answer({ answers: [a(10)] }), 0)
    expect(cache.get('k', 10_000)).to.equal(undefined)
    expect([cache.size, cache.bytes]).to.deep.equal([0, 0])
  })
})

describe('where the DNS server listens', () => {
  it('is taken: EADDRINUSE with a hint, over UDP as over TCP, and nothing is left open', async () => {
    const services = new FakeServices()
    const first = await DnsServer.listen({ listen: '127.0.0.1:0', services })
    try {
      const error = await expectCode(DnsServer.listen({ listen: first.address, services }), 'EADDRINUSE')
      expect(error.hint).to.contain('another DNS server')
      expect(services.listeners).to.equal(1)
    } finally {
      await first.close()
    }
  })

  it('is no address of this machine, or none at all', async () => {
    const services = new FakeServices()
    const error = await expectCode(DnsServer.listen({ listen: '192.0.2.1:0', services }), 'SYSTEM')
    expect(error.errno).to.equal('EADDRNOTAVAIL')
    for (const listen of ['', 'localhost:53', '127.0.0.1:70000', '[127.0.0.1]:53']) {
      await expectCode(DnsServer.listen({ listen, services }), 'EINVAL')
    }
    for (const wrong of [
      { ttl: -1 },
      { ttl: 0.5 },
      { ttl: 2 ** 31 },
      { maxWaiting: 0 },
      { maxConnections: 0 },
      { idleMs: 0 },
    ]) {
      expect(await rejectionOf(DnsServer.listen({ listen: '127.0.0.1:0', services, ...wrong }))).to.be.instanceOf(
        RangeError,
      )
    }
    expect(services.listeners).to.equal(0)
  })

  it('is IPv6 as well', async () => {
    const services = new FakeServices({ name: 'www', state: 'ready' })
    const server = await DnsServer.listen({ listen: '[::1]:0', services })
    try {
      expect(server.address).to.match(/^\[::1\]:[0-9]+$/)
      expect(
        (await queryDns({ servers: [server.address], name: 'www.example.org', type: 'A' })).answers,
      ).to.have.length(1)
      const ns = await queryDns({ servers: [server.address], name: 'ns.example.org', type: 'AAAA' })
      expect(ns.answers).to.have.nested.property('[0].address', '::1')
    } finally {
      await server.close()
    }
  })
})
