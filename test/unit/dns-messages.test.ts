// Messages and records, both ways, and beside another implementation: dns-packet.
import { expect } from 'chai'
import dnsPacket, { type Packet } from 'dns-packet'
import {
  DNS_FLAG,
  DNS_META_TYPE,
  DNS_TYPE,
  type DnsMessage,
  type DnsRecord,
  decodeDnsMessage,
  encodeDnsMessage,
  rcodeOf,
} from '../../protocol/dns.js'
import { formatIpv6, ipBytes, reverseName } from '../../protocol/ip-address.js'

const name = 'www.example.org'
const records: DnsRecord[] = [
  { name, type: 'A', ttl: 60, address: '192.0.2.1' },
  { name, type: 'AAAA', ttl: 60, address: '2001:db8::1' },
  { name: 'Alias.example.org', type: 'CNAME', ttl: 1, target: name },
  { name: 'example.org', type: 'NS', ttl: 0, target: 'ns.example.org' },
  { name: '1.2.0.192.in-addr.arpa', type: 'PTR', ttl: 7, target: name },
  { name, type: 'TXT', ttl: 60, texts: [Buffer.from('a=b'), Buffer.alloc(0), Buffer.from([0, 255])] },
  { name: '_http._tcp.example.org', type: 'SRV', ttl: 60, priority: 1, weight: 2, port: 8080, target: name },
  {
    name: 'example.org',
    type: 'SOA',
    ttl: 60,
    primary: 'ns.example.org',
    mailbox: 'hostmaster.example.org',
    serial: 4294967295,
    refresh: 1,
    retry: 2,
    expire: 3,
    minimum: 4,
  },
  {
    name,
    type: 'SVCB',
    ttl: 60,
    priority: 1,
    target: '.',
    params: new Map([
      [1, Buffer.from([2, 0x68, 0x32])],
      [65280, Buffer.from('www')],
    ]),
  },
  { name, type: 'HTTPS', ttl: 60, priority: 0, target: 'other.example.org', params: new Map() },
  { name, type: 'OTHER', code: 257, class: 1, ttl: 9, data: Buffer.from([0, 5, 1]) },
  { name, type: 'OTHER', code: 1, class: 3, ttl: 9, data: Buffer.from('chaos') },
]

const ok = (bytes: Buffer): DnsMessage => {
  const message = decodeDnsMessage(bytes)
  if ('problem' in message) throw new Error(message.problem)
  return message
}
const problem = (bytes: Buffer) => expect(decodeDnsMessage(bytes)).to.have.property('problem')

/** A response with one answer of that type and those bytes. */
function answering(type: number, data: readonly number[], claimed = data.length): Buffer {
  const head = encodeDnsMessage({ flags: DNS_FLAG.QR, questions: [{ name: 'a', type, class: 1 }] })
  head.writeUInt16BE(1, 6)
  const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, claimed >> 8, claimed & 0xff, ...data])
  return Buffer.concat([head, record])
}

describe('DNS messages', () => {
  it('records of every type come back as they were', () => {
    const message = ok(encodeDnsMessage({ id: 7, flags: DNS_FLAG.QR, answers: records }))
    expect(message.answers).to.deep.equal(records)
    for (const record of records) {
      const section = ok(encodeDnsMessage({ authorities: [record], additionals: [record] }))
      expect([section.authorities, section.additionals, section.answers]).to.deep.equal([[record], [record], []])
    }
  })

  it('questions, flags and the OPT come back as they were', () => {
    const edns = {
      udpBytes: 1232,
      version: 0,
      dnssecOk: true,
      extendedRcode: 1,
      options: [{ code: 15, data: Buffer.from([0, 14]) }],
    }
    const message: DnsMessage = {
      id: 65535,
      flags: DNS_FLAG.QR | DNS_FLAG.AA | DNS_FLAG.RD,
      questions: [{ name: 'WWW.example.org', type: DNS_TYPE.A, class: 1 }],
      answers: [],
      authorities: [],
      additionals: [],
      edns,
    }
    expect(ok(encodeDnsMessage(message))).to.deep.equal(message)
    expect(rcodeOf(message)).to.equal(16)
  })

  it('dns-packet reads what is written here, SVCB as raw data', () => {
    const read = dnsPacket.decode(encodeDnsMessage({ id: 1, flags: DNS_FLAG.QR, answers: records.slice(0, 9) }))
    const data = (read.answers ?? []).map((answer) => (answer as { data: unknown }).data)
    expect(data.slice(0, 5)).to.deep.equal(['192.0.2.1', '2001:db8::1', name, 'ns.example.org', name])
    expect(data[5]).to.deep.equal([Buffer.from('a=b'), Buffer.alloc(0), Buffer.from([0, 255])])
    expect(data[6]).to.include({ priority: 1, weight: 2, port: 8080, target: name })
    expect(data[7]).to.include({
      mname: 'ns.example.org',
      rname: 'hostmaster.example.org',
      serial: 4294967295,
      minimum: 4,
    })
    expect(read.answers?.[8]).to.have.property('type', 'UNKNOWN_64')
    expect(data[8]).to.deep.equal(Buffer.from('000100' + '0001000302' + '6832' + 'ff000003' + '777777', 'hex'))
  })

  it('what dns-packet writes is read here', () => {
    const packet: Packet = {
      type: 'response',
      id: 9,
      flags: dnsPacket.AUTHORITATIVE_ANSWER,
      questions: [{ type: 'A', name }],
      answers: [
        { type: 'A', name, ttl: 5, data: '192.0.2.1' },
        { type: 'AAAA', name, ttl: 5, data: '2001:db8:0:1::' },
        { type: 'TXT', name, ttl: 5, data: ['x', 'y'] },
        { type: 'SRV', name, ttl: 5, data: { port: 80, target: 'a.b' } },
        { type: 'MX', name, ttl: 5, data: { preference: 10, exchange: 'mx.b' } },
      ],
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 4096,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 32768,
          flag_do: true,
          options: [],
        },
      ],
    }
    const message = ok(dnsPacket.encode(packet))
    expect(message.flags).to.equal(DNS_FLAG.QR | DNS_FLAG.AA)
    expect(message.edns).to.deep.equal({ udpBytes: 4096, version: 0, dnssecOk: true, extendedRcode: 0, options: [] })
    expect(message.answers).to.deep.include({ name, type: 'AAAA', ttl: 5, address: '2001:db8:0:1::' })
    expect(message.answers).to.deep.include({ name, type: 'TXT', ttl: 5, texts: [Buffer.from('x'), Buffer.from('y')] })
    expect(message.answers[4]).to.include({ type: 'OTHER', code: 15 })
  })

  it('a TTL with its highest bit set counts as 0', () => {
    const bytes = encodeDnsMessage({ answers: [{ name, type: 'A', ttl: 0x80000000, address: '192.0.2.1' }] })
    expect(ok(bytes).answers[0]).to.have.property('ttl', 0)
  })

  it('a record that cannot be is a RangeError of the writer', () => {
    const write = (record: DnsRecord) => () => encodeDnsMessage({ answers: [record] })
    expect(write({ name, type: 'A', ttl: 1, address: '::1' })).to.throw(RangeError)
    expect(write({ name, type: 'AAAA', ttl: 1, address: '192.0.2.1' })).to.throw(RangeError)
    expect(write({ name, type: 'A', ttl: 1, address: '300.0.0.1' })).to.throw(RangeError)
    expect(write({ name, type: 'TXT', ttl: 1, texts: [Buffer.alloc(256)] })).to.throw(RangeError)
    expect(write({ name: 'a..b', type: 'A', ttl: 1, address: '192.0.2.1' })).to.throw(RangeError)
  })

  const malformed: Record<string, Buffer> = {
    'A of three bytes': answering(1, [1, 2, 3]),
    'A of five bytes': answering(1, [1, 2, 3, 4, 5]),
    'AAAA of four bytes': answering(28, [1, 2, 3, 4]),
    'TXT without a string': answering(16, []),
    'TXT whose string is longer than the data': answering(16, [4, 1]),
    'NS that leaves bytes over': answering(2, [0, 0]),
    'NS whose name runs over the data': answering(2, [1, 97], 2),
    'PTR that points to itself': answering(12, [0xc0, 31]),
    'SRV without a target': answering(33, [0, 1, 0, 2, 0, 3]),
    'SOA with four numbers': answering(6, [0, 0, ...Array<number>(16).fill(0)]),
    'SVCB whose keys descend': answering(64, [0, 1, 0, 0, 4, 0, 0, 0, 1, 0, 0]),
    'SVCB with a key twice': answering(64, [0, 1, 0, 0, 4, 0, 0, 0, 4, 0, 0]),
    'SVCB whose value is cut off': answering(64, [0, 1, 0, 0, 4, 0, 9, 1]),
    'SVCB without a target': answering(64, [0, 1]),
    'data longer than the message': answering(99, [1], 2),
  }
  for (const [what, bytes] of Object.entries(malformed)) it(`${what} is a problem`, () => void problem(bytes))

  it('bytes before, between and after the parts of a message are problems', () => {
    const whole = encodeDnsMessage({ questions: [{ name, type: 1, class: 1 }], answers: records })
    for (let length = 0; length < whole.length; length++) problem(whole.subarray(0, length))
    problem(Buffer.concat([whole, Buffer.from([0])]))
    expect(ok(whole).answers).to.have.length(records.length)
  })

  it('an OPT comes once, at the root, among the additionals, with whole options', () => {
    const opt = (owner: number[], options: number[]) => [
      ...owner,
      0,
      41,
      4,
      208,
      0,
      0,
      0,
      0,
      0,
      options.length,
      ...options,
    ]
    const message = (section: number, count: number, ...bytes: number[]) => {
      const header = Buffer.alloc(12)
      header.writeUInt16BE(count, 6 + 2 * section)
      return Buffer.concat([header, Buffer.from(bytes)])
    }
    expect(ok(message(2, 1, ...opt([0], [0, 3, 0, 1, 7]))).edns?.options).to.deep.equal([
      { code: 3, data: Buffer.from([7]) },
    ])
    problem(message(2, 2, ...opt([0], []), ...opt([0], [])))
    problem(message(0, 1, ...opt([0], [])))
    problem(message(2, 1, ...opt([1, 97, 0], [])))
    problem(message(2, 1, ...opt([0], [0, 3, 0, 9, 7])))
    problem(message(2, 1, ...opt([0], [0, 3, 0])))
    expect(DNS_META_TYPE.OPT).to.equal(41)
  })
})

describe('IP addresses', () => {
  const spelt: Record<string, string> = {
    '::': '::',
    '::1': '::1',
    '1::': '1::',
    '2001:DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '::ffff:192.0.2.1': '::ffff:c000:201',
    '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
  }
  for (const [text, canonical] of Object.entries(spelt)) {
    it(`${text} is spelt ${canonical}`, () => expect(formatIpv6(ipBytes(text)!)).to.equal(canonical))
  }

  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1:2:3:4:5:6:7',
    '1::2::3',
    '1:2:3:4:5:6:7::8',
    ':::',
    '12345::',
    '::1.2.3',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7:8:9',
  ]) {
    it(`${JSON.stringify(text)} is none`, () => expect(ipBytes(text)).to.equal(undefined))
  }

  it('have a name to be found under', () => {
    expect(reverseName('192.0.2.1')).to.equal('1.2.0.192.in-addr.arpa')
    expect(reverseName('2001:db8::567:89ab')).to.equal(
      'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    )
    expect(reverseName('www')).to.equal(undefined)
  })
})
