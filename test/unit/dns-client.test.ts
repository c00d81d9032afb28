// The client against servers that answer truly, falsely, late, in part or not at all.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect } from 'chai'
import { DNS_FLAG, DNS_RCODE, type DnsRecord } from '../../protocol/dns.js'
import { queryDns } from '../../src/resolver/dns-client.js'
import { parseDnsServerAddress } from '../../src/resolver/dns-server-address.js'
import { eventually } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import { openFiles } from '../support/open-files.js'
import { type Asked, ScriptedDnsServer } from '../support/scripted-dns-server.js'

const name = 'www.example.org'
const record: DnsRecord = { name, type: 'A', ttl: 60, address: '192.0.2.7' }
const truth = (asked: Asked) => asked.answer({ answers: [record] })
const changed = (bytes: Buffer, change: (bytes: Buffer) => void): Buffer => {
  const copy = Buffer.from(bytes)
  change(copy)
  return copy
}

describe('the DNS client', () => {
  const servers: ScriptedDnsServer[] = []
  const serve = async (onQuery: (asked: Asked) => void) => {
    const server = await ScriptedDnsServer.listen(onQuery)
    servers.push(server)
    return server
  }
  let sockets: number
  const openSockets = () => [...openFiles(process.pid).values()].filter((file) => file.startsWith('socket:')).length
  before(() => {
    sockets = openSockets()
  })
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()))
    await eventually(() => openSockets() === sockets)
  })

  it('gives the answers, the code and who said so', async () => {
    const server = await serve(truth)
    const answers = await queryDns({ servers: [server.address], name, type: 'A' })
    expect(answers).to.deep.equal({ rcode: 'NOERROR', answers: [record], authenticated: false, server: server.address })
  })

  it('asks recursively, with EDNS, and from another port with another id each time', async () => {
    const server = await serve(truth)
    for (let i = 0; i < 16; i++) await queryDns({ servers: [server.address], name, type: 'A' })
    const { message } = server.asked[0]!
    expect(message.flags).to.equal(DNS_FLAG.RD)
    expect(message.edns).to.include({ udpBytes: 1232, version: 0 })
    expect(new Set(server.asked.map((asked) => asked.message.id)).size).to.be.above(8)
    expect(new Set(server.asked.map((asked) => asked.from.port)).size).to.be.above(8)
  })

  it('gives NXDOMAIN, and an empty answer, as answers', async () => {
    const server = await serve((asked) => asked.answer({ flags: DNS_RCODE.NXDOMAIN }))
    expect(await queryDns({ servers: [server.address], name, type: 'A' })).to.include({ rcode: 'NXDOMAIN' })
    server.onQuery = (asked) => asked.answer()
    expect((await queryDns({ servers: [server.address], name, type: 'AAAA' })).answers).to.deep.equal([])
  })

  it('asks over TCP where the answer was truncated', async () => {
    const server = await serve((asked) =>
      asked.transport === 'udp' ? asked.answer({ flags: DNS_FLAG.TC }) : truth(asked),
    )
    expect((await queryDns({ servers: [server.address], name, type: 'A' })).answers).to.deep.equal([record])
    expect(server.asked.map(({ transport }) => transport)).to.deep.equal(['udp', 'tcp'])
  })

  it('passes over answers to another id, of another question, and queries', async () => {
    const server = await serve((asked) => {
      asked.answer({ id: asked.message.id ^ 1, answers: [{ ...record, address: '192.0.2.66' }] })
      asked.answer({ questions: [{ name: 'www.example.com', type: 1, class: 1 }] })
      asked.answer({ questions: [{ name, type: 28, class: 1 }] })
      asked.answer({ questions: [] })
      asked.send(asked.bytes)
      asked.send(Buffer.from([1]))
      truth(asked)
    })
    expect((await queryDns({ servers: [server.address], name, type: 'A' })).answers).to.deep.equal([record])
  })

  it('takes the answer whatever case the server gave to the name', async () => {
    const server = await serve((asked) =>
      asked.answer({ questions: [{ name: name.toUpperCase(), type: 1, class: 1 }] }),
    )
    expect(await queryDns({ servers: [server.address], name, type: 'A' })).to.include({ rcode: 'NOERROR' })
  })

  it('passes over what another port sends', async () => {
    const liar = createSocket('udp4')
    const server = await serve(async (asked) => {
      const lie = changed(asked.bytes, (bytes) => bytes.writeUInt16BE(DNS_FLAG.QR | DNS_RCODE.NXDOMAIN, 2))
      await new Promise<void>((sent) => liar.send(lie, asked.from.port, '127.0.0.1', () => sent()))
      truth(asked)
    })
    try {
      expect((await queryDns({ servers: [server.address], name, type: 'A' })).rcode).to.equal('NOERROR')
    } finally {
      liar.close()
    }
  })

  it('goes over to TCP when somebody guesses', async () => {
    const server = await serve((asked) => {
      if (asked.transport === 'tcp') truth(asked)
      else for (let i = 1; i <= 16; i++) asked.answer({ id: asked.message.id ^ i })
    })
    expect((await queryDns({ servers: [server.address], name, type: 'A' })).answers).to.deep.equal([record])
  })

  it('sends the same datagram again, from the same port, until it is answered', async () => {
    const clock = new ManualClock()
    const server = await serve((asked) => {
      if (server.asked.length === 3) truth(asked)
    })
    const answers = queryDns({ servers: [server.address], name, type: 'A', clock })
    await eventually(() => server.asked.length === 1)
    clock.advance(1000)
    await eventually(() => server.asked.length === 2)
    clock.advance(1999)
    clock.advance(1)
    expect((await answers).rcode).to.equal('NOERROR')
    expect(new Set(server.asked.map(({ bytes, from }) => `${from.port} ${bytes.toString('hex')}`)).size).to.equal(1)
    expect(clock.waiting).to.equal(0)
  })

  it('asks the next server after its share of the time, and after an error at once', async () => {
    const clock = new ManualClock()
    const silent = await serve(() => undefined)
    const failing = await serve((asked) => asked.answer({ flags: DNS_RCODE.SERVFAIL }))
    const good = await serve(truth)
    const all = [silent, failing, good].map(({ address }) => address)
    const answers = queryDns({ servers: all, name, type: 'A', clock, timeoutMs: 900 })
    await eventually(() => silent.asked.length === 1)
    clock.advance(300)
    expect((await answers).server).to.equal(good.address)
  })

  it('is told at once when nobody listens there', async () => {
    const port = await freePort()
    const error = await expectCode(
      queryDns({ servers: [`127.0.0.1:${port}`], name, type: 'A', clock: new ManualClock() }),
      'RESOLVER',
    )
    expect(error).to.include({ errno: 'ECONNREFUSED', endpoint: `127.0.0.1:${port}` })
  })

  it('is told at once when there is no way there', async () => {
    const servers = ['255.255.255.255:53']
    const error = await expectCode(queryDns({ servers, name, type: 'A', clock: new ManualClock() }), 'RESOLVER')
    expect(error).to.include({ errno: 'EACCES', syscall: 'connect' })
  })

  it('rejects with RESOLVER when every server failed, and says with what', async () => {
    const server = await serve((asked) => asked.answer({ flags: DNS_RCODE.REFUSED }))
    const error = await expectCode(queryDns({ servers: [server.address], name, type: 'A' }), 'RESOLVER')
    expect(error.message).to.contain('REFUSED').and.to.contain(name).and.to.contain(server.address)
    expect(error.hint).to.contain('another server')
  })

  it('rejects with RESOLVER for an answer that is malformed, and for a header alone', async () => {
    const server = await serve((asked) =>
      asked.send(
        changed(Buffer.concat([asked.bytes, Buffer.from([1])]), (bytes) => bytes.writeUInt16BE(DNS_FLAG.QR, 2)),
      ),
    )
    await expectCode(queryDns({ servers: [server.address], name, type: 'A' }), 'RESOLVER')
    server.onQuery = (asked) => asked.answer({ flags: DNS_RCODE.FORMERR, questions: [] })
    expect((await expectCode(queryDns({ servers: [server.address], name, type: 'A' }), 'RESOLVER')).message).to.contain(
      'FORMERR',
    )
  })

  it('rejects with RESOLVER when the connection ends early or answers something else', async () => {
    const server = await serve((asked) => {
      if (asked.transport === 'udp') asked.answer({ flags: DNS_FLAG.TC })
      else asked.answer({ id: asked.message.id ^ 1 })
    })
    await expectCode(queryDns({ servers: [server.address], name, type: 'A' }), 'RESOLVER')
  })

  it('rejects with ETIMEDOUT when nobody said anything', async () => {
    const clock = new ManualClock()
    const server = await serve(() => undefined)
    const failed = expectCode(
      queryDns({ servers: [server.address], name, type: 'A', clock, timeoutMs: 500 }),
      'ETIMEDOUT',
    )
    await eventually(() => server.asked.length === 1)
    clock.advance(500)
    expect((await failed).message).to.contain('500 ms')
    expect(clock.waiting).to.equal(0)
  })

  it('rejects with the reason of an abort, before, over UDP and over TCP', async () => {
    const reason = new Error('enough')
    const server = await serve((asked) => asked.transport === 'udp' && asked.answer({ flags: DNS_FLAG.TC }))
    const options = { servers: [server.address], name, type: 'A' } as const
    expect(await rejectionOf(queryDns({ ...options, signal: AbortSignal.abort(reason) }))).to.equal(reason)
    const overTcp = new AbortController()
    const rejection = rejectionOf(queryDns({ ...options, signal: overTcp.signal }))
    await eventually(() => server.asked.length === 2)
    overTcp.abort(reason)
    expect(await rejection).to.equal(reason)
    server.onQuery = () => undefined
    const overUdp = new AbortController()
    const other = rejectionOf(queryDns({ ...options, signal: overUdp.signal }))
    await eventually(() => server.asked.length === 3)
    overUdp.abort(reason)
    expect(await other).to.equal(reason)
  })

  it('refuses names and addresses that cannot be', async () => {
    for (const wrong of ['a..b', 'münchen.de', 'a'.repeat(64)]) {
      await expectCode(queryDns({ servers: ['127.0.0.1:1'], name: wrong, type: 'A' }), 'EINVAL')
    }
    for (const wrong of [
      '',
      'localhost:53',
      '1.2.3.4:0',
      '1.2.3.4:65536',
      '[1.2.3.4]:53',
      '[::1',
      '::1]:53',
      '1.2.3.4:5 ',
    ]) {
      await expectCode(queryDns({ servers: [wrong], name, type: 'A' }), 'EINVAL')
    }
    expect(await rejectionOf(queryDns({ servers: [], name, type: 'A' }))).to.be.instanceOf(RangeError)
  })

  it('takes addresses in every form', () => {
    expect(parseDnsServerAddress('192.0.2.1')).to.include({ port: 53, family: 4, text: '192.0.2.1:53' })
    expect(parseDnsServerAddress('[2001:db8::1]:5353')).to.include({
      port: 5353,
      family: 6,
      text: '[2001:db8::1]:5353',
    })
    expect(parseDnsServerAddress('2001:db8::1')).to.include({ port: 53, family: 6, address: '2001:db8::1' })
  })
})

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  return port
}
