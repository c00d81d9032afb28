// What the DNS server does not know it asks others: who may answer truly, falsely, late or never.
import { createSocket } from 'node:dgram'
import { expect } from 'chai'
import { DNS_FLAG, DNS_RCODE, type DnsMessage, type DnsRecord, type Edns, rcodeOf } from '../../protocol/dns.js'
import { DnsServer } from '../../src/jitsu/dns/dns-server.js'
import { decoded, dnsQuestion } from '../support/dns-asker.js'
import { DnsWorld } from '../support/dns-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { FakeServices } from '../support/fake-services.js'
import { openFiles } from '../support/open-files.js'
import { type Asked, ScriptedDnsServer } from '../support/scripted-dns-server.js'

const name = 'mail.example.com'
const record: DnsRecord = { name, type: 'A', ttl: 100, address: '198.51.100.1' }
const soa: DnsRecord = {
  ...{ name: 'example.com', type: 'SOA', ttl: 300, primary: 'ns.example.com', mailbox: 'root.example.com' },
  ...{ serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 60 },
}
const truth = (asked: Asked) => asked.answer({ answers: [record] })
const addresses = (message: DnsMessage) =>
  message.answers.map((each) => [each.name, each.ttl, 'address' in each && each.address])
const why = (edns: Edns | undefined) =>
  edns?.options.map(({ data }) => [data.readUInt16BE(0), data.toString('utf8', 2)])

describe('the DNS server with forwarders', () => {
  let world: DnsWorld
  const upstreams: ScriptedDnsServer[] = []
  const upstream = async (onQuery: (asked: Asked) => void) => {
    const server = await ScriptedDnsServer.listen(onQuery)
    upstreams.push(server)
    return server
  }
  const open = async (forward: readonly { readonly address: string }[], options = {}) => {
    world = await DnsWorld.open([{ name: 'www', state: 'ready' }], {
      forward: forward.map(({ address }) => address),
      ...options,
    })
    return world.udp()
  }
  let sockets: number
  const openSockets = () => [...openFiles(process.pid).values()].filter((file) => file.startsWith('socket:')).length
  before(() => {
    sockets = openSockets()
  })
  afterEach(async () => {
    await world.close()
    await Promise.all(upstreams.splice(0).map((server) => server.close()))
    await eventually(() => openSockets() === sockets && world.clock.waiting === 0)
  })

  it('passes on what they say, in the spelling of the client, without their authority', async () => {
    const server = await upstream((asked) => {
      const answers = [{ ...record, name: asked.message.questions[0]!.name }]
      const additionals = [{ ...record, name: 'www.bank.example' }]
      asked.answer({ flags: DNS_FLAG.AA | DNS_FLAG.AD, answers, authorities: [soa], additionals })
    })
    const asker = await open([server])
    const message = await asker.ask('MAIL.example.COM')
    expect(message.questions[0]).to.have.property('name', 'MAIL.example.COM')
    expect(addresses(message)).to.deep.equal([['MAIL.example.COM', 100, '198.51.100.1']])
    expect([message.authorities.length, message.additionals.length]).to.deep.equal([1, 0])
    expect(message.flags).to.equal(DNS_FLAG.QR | DNS_FLAG.RD | DNS_FLAG.RA)
  })

  it('asks from another port with another id each time, and tells nothing of the client but whether it wants signatures', async () => {
    const server = await upstream((asked) => asked.answer({ flags: DNS_RCODE.NXDOMAIN }))
    const asker = await open([server])
    for (let i = 0; i < 20; i++) {
      await asker.ask(`n${i}.example.com`, 'A', {
        id: 7,
        edns: { dnssecOk: i % 2 === 0, options: [{ code: 10, data: Buffer.alloc(8) }] },
      })
    }
    expect(new Set(server.asked.map(({ message }) => message.id)).size).to.be.above(10)
    expect(new Set(server.asked.map(({ from }) => from.port)).size).to.be.above(10)
    for (const [index, { message }] of server.asked.entries()) {
      expect(message.edns).to.deep.equal({
        udpBytes: 1232,
        version: 0,
        dnssecOk: index % 2 === 0,
        extendedRcode: 0,
        options: [],
      })
      expect(message.flags).to.equal(DNS_FLAG.RD)
    }
  })

  it('keeps what they say for as long as they say, and counts the time down', async () => {
    const server = await upstream(truth)
    const asker = await open([server])
    const ttls = async () => addresses(await asker.ask(name)).map(([, ttl]) => ttl)
    expect(await ttls()).to.deep.equal([100])
    world.advance(30_500)
    expect(await ttls()).to.deep.equal([70])
    world.advance(69_499)
    expect(await ttls()).to.deep.equal([1])
    expect(server.asked).to.have.length(1)
    world.advance(1)
    expect(await ttls()).to.deep.equal([100])
    expect(server.asked).to.have.length(2)
    expect(world.server.counters).to.include({ forwarded: 2, cacheHits: 2 })
  })

  it('keeps that something is not there for what the SOA says, and not at all without one', async () => {
    const server = await upstream((asked) => asked.answer({ flags: DNS_RCODE.NXDOMAIN, authorities: [soa] }))
    const asker = await open([server])
    for (const afterMs of [0, 59_999]) {
      world.advance(afterMs)
      expect(rcodeOf(await asker.ask(name))).to.equal(DNS_RCODE.NXDOMAIN)
    }
    expect(server.asked).to.have.length(1)
    world.advance(1)
    server.onQuery = (asked) => asked.answer({ authorities: [{ ...soa, ttl: 10 }] })
    expect((await asker.ask(name)).authorities).to.have.length(1)
    world.advance(9_999)
    await asker.ask(name)
    expect(server.asked).to.have.length(2)
    world.advance(1)
    server.onQuery = (asked) => asked.answer({ flags: DNS_RCODE.NXDOMAIN })
    await asker.ask(name)
    await asker.ask(name)
    expect(server.asked).to.have.length(4)
  })

  it('keeps answers for signatures, of other types and of other classes of checking apart', async () => {
    const server = await upstream(truth)
    const asker = await open([server])
    await asker.ask(name)
    await asker.ask(name, 'A', { edns: { dnssecOk: true } })
    await asker.ask(name, 'AAAA')
    await asker.ask(name, 'A', { flags: DNS_FLAG.RD | DNS_FLAG.CD })
    await asker.ask('mail\\.example.com')
    expect(server.asked).to.have.length(5)
    await asker.ask('Mail.Example.com', 'A', { edns: {} })
    expect(server.asked).to.have.length(5)
  })

  it('asks once for all who ask the same meanwhile', async () => {
    const server = await upstream(() => undefined)
    const asker = await open([server])
    const tcp = await world.tcp()
    for (let id = 0; id < 50; id++) (id % 2 === 0 ? asker : tcp).send(dnsQuestion(name, 'A', { id }))
    await eventually(() => world.server.counters.waited === 50 && server.asked.length === 1)
    truth(server.asked[0]!)
    for (let id = 0; id < 50; id++) expect(decoded(await (id % 2 === 0 ? asker : tcp).next()).id).to.equal(id)
    expect(server.asked).to.have.length(1)
  })

  it('passes over lies, and takes the answer that comes after them', async () => {
    const liar = createSocket('udp4')
    const lie = { answers: [{ ...record, address: '203.0.113.66' }] }
    const server = await upstream(async (asked) => {
      asked.answer({ ...lie, id: asked.message.id ^ 0x8000 })
      asked.answer({ ...lie, questions: [{ name: 'mail.example.net', type: 1, class: 1 }] })
      asked.answer({ ...lie, questions: [{ name, type: 1, class: 3 }] })
      const forged = Buffer.from(asked.bytes)
      forged.writeUInt16BE(DNS_FLAG.QR | DNS_RCODE.NXDOMAIN, 2)
      await new Promise<void>((sent) => liar.send(forged, asked.from.port, '127.0.0.1', () => sent()))
      truth(asked)
    })
    const asker = await open([server])
    expect(addresses(await asker.ask(name))).to.deep.equal([[name, 100, '198.51.100.1']])
    liar.close()
  })

  it('passes over an answer that comes too late, and gives the next one', async () => {
    const late = await upstream(() => undefined)
    const good = await upstream(truth)
    const asker = await open([late, good])
    const first = asker.ask(name)
    await eventually(() => late.asked.length === 1)
    world.advance(800)
    expect(addresses(await first)).to.deep.equal([[name, 100, '198.51.100.1']])
    late.asked[0]!.answer({ answers: [{ ...record, address: '203.0.113.66' }] })
    await turns()
    expect(addresses(await asker.ask(name))).to.deep.equal([[name, 100, '198.51.100.1']])
    expect(asker.unread).to.equal(0)
  })

  for (const [what, misbehave] of Object.entries({
    fails: (asked: Asked) => asked.answer({ flags: DNS_RCODE.SERVFAIL }),
    refuses: (asked: Asked) => asked.answer({ flags: DNS_RCODE.REFUSED }),
    'answers garbage': (asked: Asked) =>
      asked.send(
        Buffer.concat([
          asked.bytes.subarray(0, 2),
          Buffer.from('8180', 'hex'),
          asked.bytes.subarray(4),
          Buffer.alloc(3),
        ]),
      ),
    'answers with a loop of pointers': (asked: Asked) => {
      const { length } = asked.bytes
      const head = Buffer.concat([
        asked.bytes.subarray(0, 2),
        Buffer.from('81800001000100000000', 'hex'),
        asked.bytes.subarray(12, length - 11),
      ])
      asked.send(
        Buffer.concat([head, Buffer.from([0xc0, head.length, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, head.length])]),
      )
    },
    'truncates over TCP too, and then hangs up': (asked: Asked) =>
      asked.answer({ flags: DNS_FLAG.TC, id: asked.transport === 'udp' ? asked.message.id : 0 }),
  })) {
    it(`asks the next server when one ${what}`, async () => {
      const bad = await upstream(misbehave)
      const good = await upstream(truth)
      const asker = await open([bad, good])
      expect(addresses(await asker.ask(name))).to.deep.equal([[name, 100, '198.51.100.1']])
      expect(bad.asked).not.to.have.length(0)
    })
  }

  it('asks the next server at once where nobody listens', async () => {
    const gone = await upstream(() => undefined)
    const good = await upstream(truth)
    const { address } = gone
    await upstreams.shift()?.close()
    const asker = await open([{ address }, good])
    expect(addresses(await asker.ask(name))).to.have.length(1)
  })

  it('asks over TCP where an answer was truncated, and truncates it for a client with less room', async () => {
    const answers = Array.from({ length: 100 }, (_, i): DnsRecord => ({ ...record, address: `198.51.100.${i}` }))
    const server = await upstream((asked) =>
      asked.answer(asked.transport === 'udp' ? { flags: DNS_FLAG.TC } : { answers }),
    )
    const asker = await open([server])
    expect((await asker.ask(name)).flags & DNS_FLAG.TC).to.equal(DNS_FLAG.TC)
    expect((await (await world.tcp()).ask(name)).answers).to.have.length(100)
    expect(server.asked.map(({ transport }) => transport)).to.deep.equal(['udp', 'tcp'])
  })

  it('asks without EDNS who does not know it', async () => {
    const server = await upstream((asked) =>
      asked.message.edns === undefined ? truth(asked) : asked.answer({ flags: DNS_RCODE.FORMERR }),
    )
    const asker = await open([server])
    expect(addresses(await asker.ask(name))).to.have.length(1)
  })

  it('is SERVFAIL when all fail, again and again, and says so without asking again for a second', async () => {
    const servers = [
      await upstream(() => undefined),
      await upstream((asked) => asked.answer({ flags: DNS_RCODE.SERVFAIL })),
    ]
    const asker = await open(servers)
    const asked = () => servers.map((server) => server.asked.length)
    asker.send(dnsQuestion(name, 'A', { edns: {} }))
    for (const [round, timeoutMs] of [800, 1600, 2400].entries()) {
      await eventually(() => asked()[0] === round + 1)
      expect(asker.unread).to.equal(0)
      world.advance(timeoutMs)
    }
    const message = decoded(await asker.next())
    expect(rcodeOf(message)).to.equal(DNS_RCODE.SERVFAIL)
    expect(why(message.edns)).to.deep.equal([[23, 'no forwarder answered']])
    // The time was over before the last was asked for the third time.
    expect(asked()).to.deep.equal([3, 2])
    world.advance(999)
    expect(rcodeOf(await asker.ask(name))).to.equal(DNS_RCODE.SERVFAIL)
    expect(asked()).to.deep.equal([3, 2])
    world.advance(1)
    servers[0]!.onQuery = truth
    expect(addresses(await asker.ask(name))).to.have.length(1)
    expect(world.server.counters).to.include({ forwardFailures: 1 })
  })

  it('gives up after 4.8 seconds, however many servers there are', async () => {
    const servers = await Promise.all(Array.from({ length: 12 }, () => upstream(() => undefined)))
    const asker = await open(servers)
    asker.send(dnsQuestion(name))
    for (let asked = 1; asked <= 6; asked++) {
      await eventually(() => servers.filter((server) => server.asked.length > 0).length === asked)
      world.advance(800)
    }
    expect(rcodeOf(decoded(await asker.next()))).to.equal(DNS_RCODE.SERVFAIL)
    expect(servers.reduce((sum, server) => sum + server.asked.length, 0)).to.equal(6)
  })

  it('is asked no more than 512 questions at a time, and Node warns of nothing', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const server = await upstream(() => undefined)
    const asker = await open([server])
    for (let i = 0; i < 512; i++) {
      asker.send(dnsQuestion(`n${i}.example.com`))
      if (i % 64 === 63) await eventually(() => server.asked.length === i + 1)
    }
    expect(rcodeOf(await asker.ask('one-more.example.com'))).to.equal(DNS_RCODE.SERVFAIL)
    expect(server.asked).to.have.length(512)
    process.off('warning', onWarning)
    expect(warnings).to.deep.equal([])
    expect((await asker.ask('www.example.org')).answers).to.have.length(1)
  })

  it('answers for its own names, and below them, itself; for others beside them it asks', async () => {
    const server = await upstream((asked) =>
      asked.answer({ answers: [{ ...record, name: asked.message.questions[0]!.name }] }),
    )
    const asker = await open([server])
    expect(addresses(await asker.ask('www.example.org'))[0]).to.include('192.0.2.1')
    expect(rcodeOf(await asker.ask('below.www.example.org'))).to.equal(DNS_RCODE.NXDOMAIN)
    expect((await asker.ask('www.example.org', 'TXT')).authorities).to.have.nested.property(
      '[0].name',
      'www.example.org',
    )
    expect(server.asked).to.have.length(0)
    expect(addresses(await asker.ask('mail.example.org'))).to.have.length(1)
    expect(addresses(await asker.ask('example.org'))).to.have.length(1)
  })

  it('refuses who does not ask for recursion, and transfers', async () => {
    const server = await upstream(truth)
    const asker = await open([server])
    expect(rcodeOf(await asker.ask(name, 'A', { flags: 0 }))).to.equal(DNS_RCODE.REFUSED)
    expect(rcodeOf(await asker.ask(name, 252))).to.equal(DNS_RCODE.REFUSED)
    expect(rcodeOf(await asker.ask(name, 'A', { class: 3 }))).to.equal(DNS_RCODE.REFUSED)
    expect(server.asked).to.have.length(0)
  })

  it('asks nobody any more once it is closed', async () => {
    const server = await upstream(() => undefined)
    const asker = await open([server])
    asker.send(dnsQuestion(name))
    await eventually(() => server.asked.length === 1)
    await world.server.close()
    await eventually(() => world.clock.waiting === 0)
    expect(server.asked).to.have.length(1)
  })
})

describe('forwarders of the DNS server', () => {
  it('cannot be the server itself', async () => {
    const probe = await DnsServer.listen({ listen: '127.0.0.1:0', services: new FakeServices() })
    await probe.close()
    const services = new FakeServices()
    const own = `127.0.0.1:${probe.port}`
    const error = await expectCode(
      DnsServer.listen({ listen: own, forward: ['192.0.2.1:53', own], services }),
      'CONFIG',
    )
    expect(error.message).to.contain(own)
    expect(services.listeners).to.equal(0)
    await (await DnsServer.listen({ listen: own, services })).close()
  })

  it('have an address', async () => {
    const services = new FakeServices()
    await expectCode(DnsServer.listen({ listen: '127.0.0.1:0', forward: ['dns.example'], services }), 'EINVAL')
  })
})
