// DNS messages that are damaged, hostile or noise: the codec makes of each a value or a problem, and the server an answer of its own or
// silence, over both transports, and goes on.
import { connect, isIP } from 'node:net'
import { expect } from 'chai'
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { parseDiscoveryParams, parseDiscoveryTexts } from '../../protocol/conduit-discovery.js'
import {
  canonicalName,
  DNS_FLAG,
  type DnsRecord,
  decodeDnsMessage,
  type Edns,
  encodeDnsMessage,
  frameDns,
  nameKey,
  readNameKey,
} from '../../protocol/dns.js'
import { formatIpv6, ipBytes } from '../../protocol/ip-address.js'
import { bareAnswer, renderAnswer, renderRejected } from '../../src/jitsu/dns/answer.js'
import { ForwardedAnswer } from '../../src/jitsu/dns/forwarded-answer.js'
import { datagramBytes, readQuery } from '../../src/jitsu/dns/query.js'
import { checkAnswer } from '../../src/resolver/dns-answer-check.js'
import { dnsQuestion } from '../support/dns-asker.js'
import { DnsWorld } from '../support/dns-world.js'
import { eventually } from '../support/eventually.js'

const RUNS = { numRuns: 5000 }

const label = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => [...bytes].map((byte) => `\\${String(byte).padStart(3, '0')}`).join(''))
const aName = fc
  .array(fc.oneof(label, fc.constantFrom('www', 'example', 'org', 'WWW')), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'))
const ttl = fc.oneof(fc.nat(100_000), fc.constantFrom(0, 0x7fffffff))
const u16 = fc.nat(0xffff)
const u32 = fc.nat(0x7fffffff)
const octets = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
const owned = { name: aName, ttl }
const aRecord: fc.Arbitrary<DnsRecord> = fc.oneof(
  fc.record({ ...owned, type: fc.constant('A' as const), address: fc.ipV4() }),
  fc.record({ ...owned, type: fc.constantFrom('CNAME' as const, 'PTR' as const, 'NS' as const), target: aName }),
  fc.record({ ...owned, type: fc.constant('TXT' as const), texts: fc.array(octets, { minLength: 1, maxLength: 3 }) }),
  fc.record({ ...owned, type: fc.constant('SRV' as const), priority: u16, weight: u16, port: u16, target: aName }),
  fc.record({
    ...owned,
    type: fc.constantFrom('SVCB' as const, 'HTTPS' as const),
    priority: u16,
    target: aName,
    params: fc
      .uniqueArray(fc.tuple(u16, octets), { selector: ([key]) => key, maxLength: 4 })
      .map((pairs) => new Map(pairs.sort(([a], [b]) => a - b))),
  }),
  fc.record({
    ...owned,
    type: fc.constant('SOA' as const),
    primary: aName,
    mailbox: aName,
    serial: u32,
    refresh: u32,
    retry: u32,
    expire: u32,
    minimum: u32,
  }),
  fc.record({
    ...owned,
    type: fc.constant('OTHER' as const),
    code: fc.constantFrom(13, 99, 257, 65280),
    class: fc.constantFrom(1, 3, 254),
    data: octets,
  }),
)
const anEdns: fc.Arbitrary<Edns | undefined> = fc.option(
  fc.record({
    udpBytes: u16,
    version: fc.nat(255),
    dnssecOk: fc.boolean(),
    extendedRcode: fc.nat(255),
    options: fc.array(fc.record({ code: u16, data: octets }), { maxLength: 3 }),
  }),
  { nil: undefined },
)
const aQuestion = fc.record({
  name: aName,
  type: fc.oneof(u16, fc.constantFrom(1, 28, 41, 252, 255)),
  class: fc.constantFrom(1, 1, 1, 3, 255),
})
const questions = fc.array(aQuestion, { maxLength: 2 })
const records = fc.array(aRecord, { maxLength: 4 })
const aMessage = fc.record({
  id: u16,
  flags: u16,
  questions,
  answers: records,
  authorities: records,
  additionals: records,
  edns: anEdns,
})

/** What a client sends, mostly. */
const aQuery = fc.record({
  ...{
    id: u16,
    flags: fc.constantFrom(0, DNS_FLAG.RD, DNS_FLAG.CD),
    questions: fc.array(aQuestion, { minLength: 1, maxLength: 1 }),
  },
  ...{ answers: fc.constant([]), authorities: fc.constant([]), additionals: fc.constant([]), edns: anEdns },
})
/** With some of its bytes changed, or its end cut off or replaced. */
const damaged = fc
  .tuple(
    fc.oneof(aMessage, aQuery),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
    fc.option(fc.nat(), { nil: undefined, freq: 2 }),
    octets,
  )
  .map(([message, changes, cut, tail]) => {
    const bytes = encodeDnsMessage(message)
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    return cut === undefined ? bytes : Buffer.concat([bytes.subarray(0, cut % bytes.length), tail])
  })
const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))
/** Pointers everywhere. */
const pointers = fc
  .tuple(u16, fc.array(fc.oneof(fc.nat(60), fc.constant(0)), { maxLength: 60 }))
  .map(([flags, targets]) => {
    const bytes = Buffer.alloc(12 + 2 * targets.length)
    bytes.writeUInt16BE(flags & 0x7fff, 2)
    for (let word = 4; word < 12; word += 2) bytes.writeUInt16BE(1, word)
    for (const [i, target] of targets.entries()) bytes.writeUInt16BE(target === 0 ? 0 : 0xc000 | target, 12 + 2 * i)
    return bytes
  })
const anything = fc.oneof({ weight: 4, arbitrary: damaged }, noise, pointers)

describe('DNS messages, fuzzed', () => {
  it('what is written is read back as it was', () => {
    fc.assert(
      fc.property(aMessage, (message) => {
        expect(decodeDnsMessage(encodeDnsMessage(message))).to.deep.equal(spelt(message))
      }),
      RUNS,
    )
  })

  it('any bytes are a value that is written to the same value again, or a problem', () => {
    let values = 0
    fc.assert(
      fc.property(anything, (bytes) => {
        const message = decodeDnsMessage(bytes)
        if ('problem' in message) {
          expect(message.problem).not.to.equal('')
          return
        }
        values++
        expect(decodeDnsMessage(encodeDnsMessage(message))).to.deep.equal(message)
        for (const record of message.answers) {
          if (record.type === 'SVCB') parseDiscoveryParams(record.params)
          if (record.type === 'TXT') parseDiscoveryTexts(record.texts)
        }
      }),
      RUNS,
    )
    expect(values).to.be.above(RUNS.numRuns / 20)
  })

  it('where dns-packet reads a message too, it reads the same header, addresses and ports', () => {
    let compared = 0
    fc.assert(
      fc.property(damaged, (bytes) => {
        const ours = decodeDnsMessage(bytes)
        if ('problem' in ours) return
        let theirs: ReturnType<typeof dnsPacket.decode>
        try {
          theirs = dnsPacket.decode(bytes)
        } catch {
          return
        }
        compared++
        expect([theirs.id, (theirs.flags ?? 0) | (theirs.type === 'response' ? DNS_FLAG.QR : 0)]).to.deep.equal([
          ours.id,
          ours.flags,
        ])
        // It takes the length of other types from their data, and is somewhere else then.
        const other = ours.answers.findIndex(({ type }) => type === 'OTHER')
        for (const [index, record] of ours.answers.slice(0, other < 0 ? undefined : other).entries()) {
          const answer = theirs.answers?.[index] as { type: string; data: { port?: number } } | undefined
          if (record.type === 'A') expect(answer).to.include({ type: 'A', data: record.address })
          if (record.type === 'SRV') expect(answer?.data.port).to.equal(record.port)
        }
      }),
      RUNS,
    )
    expect(compared).to.be.above(RUNS.numRuns / 20)
  })

  it('a name has one key, read from bytes or from text, whatever its case', () => {
    fc.assert(
      fc.property(aName, (name) => {
        const bytes = encodeDnsMessage({ questions: [{ name, type: 1, class: 1 }] })
        expect(readNameKey(bytes, 12)?.key).to.equal(nameKey(canonicalName(name)))
      }),
      RUNS,
    )
    fc.assert(
      fc.property(noise, (bytes) => void readNameKey(bytes, 12)),
      RUNS,
    )
  })

  it('an address is one here where it is one for node, and is spelt as one', () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV4Extended(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{1,20}$/))
    fc.assert(
      fc.property(text, (address) => {
        const bytes = ipBytes(address)
        expect(bytes?.length ?? 0, address).to.equal([0, 4, 16][[0, 4, 6].indexOf(isIP(address))])
        if (bytes?.length === 16) expect(ipBytes(formatIpv6(bytes))).to.deep.equal(bytes)
        if (bytes?.length === 16) expect(isIP(formatIpv6(bytes))).to.equal(6)
      }),
      RUNS,
    )
  })

  it('any bytes are a query, an error or silence, and what is answered is a response under the same id', () => {
    const seen = { query: 0, rejected: 0, silence: 0 }
    fc.assert(
      fc.property(anything, (bytes) => {
        const query = readQuery(bytes)
        if (query === undefined) {
          seen.silence++
          return
        }
        const rejected = 'rejectWith' in query
        seen[rejected ? 'rejected' : 'query']++
        const error = { code: 14, text: 'not ready' }
        const reply = rejected
          ? renderRejected(query)
          : renderAnswer(query, bareAnswer(2, error), { maxBytes: datagramBytes(query), recursionAvailable: false })
        const message = decodeDnsMessage(reply)
        if ('problem' in message) throw new Error(message.problem)
        expect([message.id, message.flags & DNS_FLAG.QR]).to.deep.equal([bytes.readUInt16BE(0), DNS_FLAG.QR])
        expect(reply.length).to.be.at.most(1232)
        if (!rejected) expect(checkAnswer(bytes, reply)).to.deep.equal({ fits: true, truncated: false })
      }),
      RUNS,
    )
    for (const [what, count] of Object.entries(seen)) expect(count, what).to.be.above(100)
  })

  it('what a forwarder says fits any query for the same name, also when it has aged, or it is a problem', () => {
    let values = 0
    fc.assert(
      fc.property(
        aMessage,
        fc.option(fc.tuple(fc.nat(), fc.nat(255)), { nil: undefined }),
        fc.nat(100_000),
        (message, change, seconds) => {
          const bytes = encodeDnsMessage({ ...message, flags: message.flags | DNS_FLAG.QR })
          if (change !== undefined) bytes[change[0] % bytes.length] = change[1]
          const forwarded = ForwardedAnswer.from(bytes)
          if ('problem' in forwarded || bytes.readUInt16BE(4) !== 1) return
          const [question] = (decodeDnsMessage(bytes) as typeof message).questions
          const query = readQuery(encodeDnsMessage({ questions: [question!] }))
          if (query === undefined || 'rejectWith' in query) return
          values++
          const options = { maxBytes: 65_535, recursionAvailable: true }
          const reply = decodeDnsMessage(renderAnswer(query, forwarded.aged(seconds).answer, options))
          if ('problem' in reply) throw new Error(reply.problem)
          const original = decodeDnsMessage(bytes) as typeof message
          const aged = (list: readonly DnsRecord[]) =>
            list.map((record) => ({ ...record, ttl: Math.max(0, record.ttl - seconds) }))
          expect(reply.answers).to.deep.equal(aged(original.answers))
          expect(reply.authorities).to.deep.equal(aged(original.authorities))
        },
      ),
      RUNS,
    )
    expect(values).to.be.above(RUNS.numRuns / 10)
  })
})

describe('a DNS server, fuzzed', () => {
  const name = 'www.example.org'
  let world: DnsWorld
  beforeEach(async () => {
    world = await DnsWorld.open([{ name: 'www', state: 'ready' }, { name: 'slow' }])
  })
  afterEach(() => world.close())

  const samples = fc.oneof(
    anything,
    fc.constantFrom(...['A', 'SVCB'].map((type) => dnsQuestion('slow.example.org', type as 'A'))),
  )

  it('answers as ever after any datagrams', async () => {
    const asker = await world.udp()
    const { counters } = world.server
    const datagrams = fc.sample(samples, { numRuns: 3000, seed: 20 })
    for (const [index, bytes] of datagrams.entries()) {
      asker.send(bytes)
      if (index % 50 === 49) await eventually(() => counters.udpQueries === index + 1)
      while (asker.unread > 0) await asker.next()
    }
    world.services.get('slow').becomeReady()
    const fresh = await world.udp()
    expect((await fresh.ask(name)).answers).to.have.length(1)
    expect(counters.ignored).to.be.above(100)
  })

  it('answers as ever after any frames, and streams that are none', async () => {
    const asker = await world.tcp()
    for (const bytes of fc.sample(samples, { numRuns: 1000, seed: 21 })) {
      asker.send(bytes)
      while (asker.unread > 0) await asker.next()
    }
    world.services.get('slow').becomeReady()
    asker.send(dnsQuestion(name, 'SOA', { id: 0xf00d }))
    let id = -1
    while (id !== 0xf00d) id = (await asker.next()).readUInt16BE(0)
    const noises = fc.sample(fc.uint8Array({ maxLength: 70_000 }), { numRuns: 20, seed: 22 })
    await Promise.all(noises.map((bytes) => streamed(Buffer.from(bytes))))
    await streamed(Buffer.concat([frameDns(Buffer.alloc(65_535, 0xc0)), Buffer.from([255, 255, 1])]))
    expect((await (await world.tcp()).ask(name)).answers).to.have.length(1)
  })

  /** Sends a stream to its end and reads what comes until the server closes. */
  const streamed = (bytes: Buffer) =>
    new Promise<void>((resolve) => {
      const socket = connect(world.server.port, '127.0.0.1', () => socket.end(bytes))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
      socket.resume()
    })
})

/** As the decoder spells it. */
function spelt<T extends { questions: readonly { name: string }[] }>(message: T): T {
  const name = (text: string) => {
    const decoded = decodeDnsMessage(encodeDnsMessage({ questions: [{ name: text, type: 1, class: 1 }] }))
    if ('problem' in decoded) throw new Error(decoded.problem)
    return decoded.questions[0]!.name
  }
  const names = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(names)
    if (value === null || typeof value !== 'object' || Buffer.isBuffer(value) || value instanceof Map) return value
    const pairs = Object.entries(value).map(([key, each]) => [
      key,
      ['name', 'target', 'primary', 'mailbox'].includes(key) ? name(each) : names(each),
    ])
    return Object.fromEntries(pairs)
  }
  return names(message) as T
}
