// How the DNS server takes what comes over UDP: each form of message, and what the RFCs ask as an answer.
import { expect } from 'chai'
import { DNS_FLAG, DNS_META_TYPE, DNS_RCODE, DNS_TYPE, encodeDnsMessage, rcodeOf } from '../../protocol/dns.js'
import { decoded, dnsQuestion, type UdpAsker } from '../support/dns-asker.js'
import { DnsWorld } from '../support/dns-world.js'

const name = 'www.example.org'
const many = Array.from({ length: 60 }, (_, i) => `192.0.2.${i + 1}`)

describe('a message to the DNS server over UDP', () => {
  let world: DnsWorld
  let asker: UdpAsker
  before(async () => {
    world = await DnsWorld.open([
      { name: 'www', state: 'ready' },
      { name: 'many', addresses: many, state: 'ready' },
      { name: 'more', addresses: [...many, ...many.map((address) => address.replace('.0.', '.1.'))], state: 'ready' },
    ])
    asker = await world.udp()
  })
  afterEach(() => expect(asker.unread).to.equal(0))
  after(() => world.close())

  const changed = (change: (bytes: Buffer) => void, bytes = dnsQuestion(name)): Buffer => {
    change(bytes)
    return bytes
  }
  const reply = async (bytes: Buffer) => {
    asker.send(bytes)
    return decoded(await asker.next())
  }

  it('is answered with its id, its RD and its CD, whichever they are', async () => {
    for (const flags of [0, DNS_FLAG.RD, DNS_FLAG.CD, DNS_FLAG.RD | DNS_FLAG.AD | DNS_FLAG.TC]) {
      const message = await asker.ask(name, 'A', { id: 0xfeed, flags })
      expect(message.id).to.equal(0xfeed)
      expect(message.flags).to.equal(DNS_FLAG.QR | DNS_FLAG.AA | (flags & (DNS_FLAG.RD | DNS_FLAG.CD)))
    }
  })

  const silent: Record<string, Buffer> = {
    'of no bytes': Buffer.alloc(0),
    'of eleven bytes': Buffer.alloc(11),
    'that is a response': changed((bytes) => bytes.writeUInt16BE(DNS_FLAG.QR, 2)),
    'that is a malformed response': Buffer.from('0001ffff0001', 'hex'),
  }
  for (const [what, bytes] of Object.entries(silent)) {
    it(`${what} is met with silence`, async () => {
      expect(await asker.onlyThen(bytes, name)).to.have.property('id', 0x5afe)
    })
  }

  const formerr: Record<string, Buffer> = {
    'without a question': encodeDnsMessage({ flags: DNS_FLAG.RD }),
    'with two questions': encodeDnsMessage({ questions: [1, 28].map((type) => ({ name, type, class: 1 })) }),
    'that claims a second question': changed((bytes) => bytes.writeUInt16BE(2, 4)),
    'of zeros': Buffer.alloc(12),
    'that ends within the name': dnsQuestion(name).subarray(0, 20),
    'that ends within type and class': dnsQuestion(name).subarray(0, -1),
    'with a byte too many': Buffer.concat([dnsQuestion(name), Buffer.alloc(1)]),
    'whose name points to itself': Buffer.concat([
      dnsQuestion(name).subarray(0, 12),
      Buffer.from('c00c00010001', 'hex'),
    ]),
    'whose name points into the header': Buffer.concat([
      dnsQuestion(name).subarray(0, 12),
      Buffer.from('c00400010001', 'hex'),
    ]),
    'whose label has a reserved length': Buffer.concat([
      dnsQuestion(name).subarray(0, 12),
      Buffer.from('4001610000010001', 'hex'),
    ]),
    'whose name has 256 bytes': Buffer.concat([
      dnsQuestion(name).subarray(0, 12),
      Buffer.concat([63, 63, 63, 62].map((length) => Buffer.from([length, ...Buffer.alloc(length, 97)]))),
      Buffer.from('0000010001', 'hex'),
    ]),
    'that claims an answer': changed((bytes) => bytes.writeUInt16BE(1, 6)),
    'with two OPTs': Buffer.concat([
      changed((bytes) => bytes.writeUInt16BE(2, 10)),
      ...[0, 1].map(() => Buffer.from('00002904d0000000000000', 'hex')),
    ]),
    'with an OPT among the answers': Buffer.concat([
      changed((bytes) => bytes.writeUInt16BE(1, 6)),
      Buffer.from('00002904d0000000000000', 'hex'),
    ]),
    'with an OPT that is not at the root': Buffer.concat([
      changed((bytes) => bytes.writeUInt16BE(1, 10)),
      Buffer.from('016100002904d0000000000000', 'hex'),
    ]),
    'with half an option': Buffer.concat([
      changed((bytes) => bytes.writeUInt16BE(1, 10)),
      Buffer.from('00002904d00000000000050003000207', 'hex'),
    ]),
    'asking for type OPT': dnsQuestion(name, DNS_META_TYPE.OPT),
  }
  for (const [what, bytes] of Object.entries(formerr)) {
    it(`${what} is FORMERR`, async () => {
      const message = await reply(bytes)
      expect([rcodeOf(message), message.id]).to.deep.equal([DNS_RCODE.FORMERR, bytes.readUInt16BE(0)])
      expect(message.answers).to.deep.equal([])
    })
  }

  for (const opcode of [1, 2, 4, 5, 6, 15]) {
    it(`of opcode ${opcode} is NOTIMP, under that opcode`, async () => {
      const message = await reply(changed((bytes) => bytes.writeUInt16BE((opcode << 11) | DNS_FLAG.RD, 2)))
      expect(message.flags).to.equal(DNS_FLAG.QR | (opcode << 11) | DNS_FLAG.RD | DNS_RCODE.NOTIMP)
    })
  }

  for (const klass of [0, 3, 4, 254, 255]) {
    it(`of class ${klass} is REFUSED`, async () => {
      expect(rcodeOf(await asker.ask(name, 'A', { class: klass }))).to.equal(DNS_RCODE.REFUSED)
    })
  }

  it('for a transfer of the zone is REFUSED, for other questions about something else NOTIMP', async () => {
    for (const type of [DNS_META_TYPE.AXFR, DNS_META_TYPE.IXFR]) {
      expect(rcodeOf(await asker.ask('example.org', type))).to.equal(DNS_RCODE.REFUSED)
    }
    for (const type of [DNS_META_TYPE.MAILA, DNS_META_TYPE.MAILB, 128, 249, 250]) {
      expect(rcodeOf(await asker.ask(name, type))).to.equal(DNS_RCODE.NOTIMP)
    }
  })

  it('with records in every section is answered', async () => {
    const record = { name, type: 'A', ttl: 0, address: '192.0.2.1' } as const
    const questions = [{ name, type: DNS_TYPE.A, class: 1 }]
    const message = await reply(
      encodeDnsMessage({ questions, answers: [record], authorities: [record], additionals: [record] }),
    )
    expect(message.answers).to.have.length(1)
  })

  it('without an OPT gets none, with one gets one', async () => {
    expect(await asker.ask(name)).to.have.property('edns', undefined)
    for (const dnssecOk of [false, true]) {
      const { edns } = await asker.ask(name, 'A', { edns: { udpBytes: 4096, dnssecOk } })
      expect(edns).to.deep.equal({ udpBytes: 1232, version: 0, dnssecOk, extendedRcode: 0, options: [] })
    }
  })

  it('with options gets none of them back', async () => {
    const options = [3, 8, 10, 65001].map((code) => ({ code, data: Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]) }))
    expect((await asker.ask(name, 'A', { edns: { options } })).edns?.options).to.deep.equal([])
  })

  it('of a later version of EDNS is BADVERS, with the version that is spoken', async () => {
    const message = await asker.ask(name, 'A', { edns: { version: 1 } })
    expect(rcodeOf(message)).to.equal(DNS_RCODE.BADVERS)
    expect(message.edns).to.include({ version: 0, extendedRcode: 1 })
    expect(message.answers).to.deep.equal([])
  })

  it('whose answer is longer than its sender takes is truncated and empty', async () => {
    const sizes = { plain: undefined, small: { udpBytes: 100 }, enough: { udpBytes: 1232 }, huge: { udpBytes: 65535 } }
    const truncated = async (edns: { udpBytes: number } | undefined, of = 'many') => {
      const message = await asker.ask(`${of}.example.org`, 'A', edns && { edns })
      return [(message.flags & DNS_FLAG.TC) !== 0, message.answers.length, rcodeOf(message)]
    }
    expect(await truncated(sizes.plain)).to.deep.equal([true, 0, 0])
    expect(await truncated(sizes.small)).to.deep.equal([true, 0, 0])
    expect(await truncated(sizes.enough)).to.deep.equal([false, 60, 0])
    expect(await truncated(sizes.huge)).to.deep.equal([false, 60, 0])
    // 1,232 bytes and no more, whatever is taken: the rest would be fragments.
    expect(await truncated(sizes.huge, 'more')).to.deep.equal([true, 0, 0])
    expect(world.server.counters.truncated).to.equal(3)
  })

  it('is counted by what it was answered', () => {
    const { counters } = world.server
    expect(counters.udpQueries).to.be.above(50)
    expect(counters.ignored).to.equal(4)
    expect(counters.answers).to.include.keys('NOERROR', 'FORMERR', 'NOTIMP', 'REFUSED', 'BADVERS')
  })
})
