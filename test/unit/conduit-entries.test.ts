// The decoders of what other domains write into the store: strict, bounded, and never an exception.
import { expect } from 'chai'
import * as fc from 'fast-check'
import {
  formatConnect,
  formatFlow,
  formatRefused,
  parseAnswer,
  parseDomid,
  parseEntry,
  parseEventChannel,
  parseFlow,
  parseListenEvent,
  parseMailboxEvent,
  parseRingRef,
} from '../../protocol/conduit.js'
import { formatSExpression, parseSExpression, S_EXPRESSION_CHARS } from '../../protocol/s-expression.js'

const entry = (text: string) => parseEntry(text)

describe('rendezvous entries', () => {
  it('a request reads back as it was written', () => {
    const request = { port: 'http', mode: 'stream', ringBytes: 65_536 } as const
    expect(formatConnect(request)).to.equal('(connect (port http) (mode stream) (ring 65536))')
    expect(entry(formatConnect(request))).to.deep.equal({ kind: 'connect', request })
  })

  it('port and ring may be left out', () => {
    const request = { port: undefined, mode: 'message', ringBytes: undefined } as const
    expect(formatConnect(request)).to.equal('(connect (mode message))')
    expect(entry('(connect (mode message))')).to.deep.equal({ kind: 'connect', request })
  })

  it("white space is the reader's business", () => {
    expect(entry(' ( connect( mode\nstream ) ) ')).to.deep.include({ kind: 'connect' })
  })

  it('answers are words', () => {
    expect(entry('accepted')).to.deep.equal({ kind: 'accepted' })
    expect(entry(formatRefused('ECONNREFUSED'))).to.deep.equal({ kind: 'refused', code: 'ECONNREFUSED' })
  })

  const hostile = [
    '',
    'connect',
    '(connect)',
    '(connect (mode stream)',
    '(connect (mode stream)))',
    '(connect (mode stream)) x',
    '(connect (mode stream) (mode stream))',
    '(connect (mode tcp))',
    '(connect (mode stream) (ring 0))',
    '(connect (mode stream) (ring 1023))',
    '(connect (mode stream) (ring 1048577))',
    '(connect (mode stream) (ring -1))',
    '(connect (mode stream) (ring 0x1000))',
    '(connect (mode stream) (ring 99999999999999999999))',
    '(connect (mode stream) (port ../../x))',
    '(connect (mode stream) (port HTTP))',
    '(connect (mode stream) (__proto__ x))',
    '(connect (mode stream) (domid 0))',
    '(connect (mode (stream)))',
    '((((((connect))))))',
    `(connect (mode stream)${' '.repeat(S_EXPRESSION_CHARS)})`,
    'refused',
    'refused ',
    'refused econnrefused',
    'refused ECONNREFUSED now',
    `refused ${'A'.repeat(33)}`,
    'accepted\0',
    '\ufffd',
  ]
  for (const text of hostile) {
    it(`${JSON.stringify(text.slice(0, 48))} is no entry`, () => expect(entry(text)).to.equal(undefined))
  }

  it('any text decodes to an entry or to undefined', () => {
    const pieces = fc.constantFrom(
      '(',
      ')',
      ' ',
      'connect',
      'mode',
      'stream',
      'ring',
      'port',
      'accepted',
      '9',
      '\0',
      '"',
    )
    return fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((parts) => parts.join('')),
        ),
        (text) => {
          const value = parseSExpression(text)
          if (value !== undefined) expect(parseSExpression(formatSExpression(value))).to.deep.equal(value)
          parseEntry(text)
          parseFlow(text)
        },
      ),
    )
  })
})

describe('values of the rendezvous', () => {
  it('a grant reference and a port are strict decimals within their range', () => {
    expect(parseRingRef('8')).to.equal(8)
    expect(parseRingRef('4294967295')).to.equal(4294967295)
    expect(parseEventChannel('1')).to.equal(1)
    for (const text of ['', '0', '7', '08', '+9', '9 ', '9\n', '1e3', '4294967296', '99999999999', '-9', '9.0', '٩']) {
      expect(parseRingRef(text), JSON.stringify(text)).to.equal(undefined)
    }
    for (const text of ['0', '01', '4294967296', 'x']) expect(parseEventChannel(text), text).to.equal(undefined)
  })

  it('a domid is a strict decimal below the first reserved one', () => {
    expect(parseDomid('0')).to.equal(0)
    expect(parseDomid('32751')).to.equal(32751)
    for (const text of ['', '00', '01', '32752', '65535', '-1', '1x', '100000']) {
      expect(parseDomid(text), text).to.equal(undefined)
    }
  })

  it('an answer is ok or a code', () => {
    expect(parseAnswer('ok')).to.deep.equal({ ok: true })
    expect(parseAnswer('EADDRINUSE')).to.deep.equal({ ok: false, code: 'EADDRINUSE' })
    expect(parseAnswer('maybe')).to.equal(undefined)
  })

  it('a flow reads back as it was written, and nothing else does', () => {
    const flow = { state: 'established', client: parseDomid('7')!, name: 'web', port: 'http' } as const
    expect(formatFlow(flow)).to.equal('(established (client 7) (name web) (port http))')
    expect(parseFlow(formatFlow(flow))).to.deep.equal(flow)
    for (const text of ['(established)', '(established (client x) (name web))', '(gone (client 7) (name web))', '7']) {
      expect(parseFlow(text), text).to.equal(undefined)
    }
  })
})

describe('paths of events', () => {
  const mailbox = '/local/domain/7/data/conduit'

  it('a mailbox event names a request, or asks to look at everything', () => {
    expect(parseMailboxEvent(mailbox, `${mailbox}/want/web`)).to.deep.equal({ kind: 'want', name: 'web' })
    expect(parseMailboxEvent(mailbox, `${mailbox}/register/web`)).to.deep.equal({ kind: 'register', name: 'web' })
    for (const path of [mailbox, `${mailbox}/register`, `${mailbox}/want`]) {
      expect(parseMailboxEvent(mailbox, path)).to.deep.equal({ kind: 'all' })
    }
    // The mark of one of the processes that want it.
    expect(parseMailboxEvent(mailbox, `${mailbox}/want/web/x`)).to.deep.equal({ kind: 'want', name: 'web' })
    const deeper = [`${mailbox}/want/web/x/y`, `${mailbox}/register/web/x`]
    for (const path of [...deeper, `${mailbox}/answer/web`, `${mailbox}x`, '/', `${mailbox}/other`]) {
      expect(parseMailboxEvent(mailbox, path), path).to.deep.equal({ kind: 'other' })
    }
  })

  it('a listen event names a client by its directory, and perhaps an entry', () => {
    const listen = '/conduit/web/listen'
    expect(parseListenEvent(listen, `${listen}/7`)).to.deep.equal({ client: 7, connectionId: undefined })
    expect(parseListenEvent(listen, `${listen}/7/0123456789ab`)).to.deep.equal({
      client: 7,
      connectionId: '0123456789ab',
    })
    for (const path of [
      listen,
      `${listen}/x`,
      `${listen}/7/short`,
      `${listen}/7/0123456789AB`,
      `${listen}/7/0123456789ab/x`,
    ]) {
      expect(parseListenEvent(listen, path), path).to.equal(undefined)
    }
  })
})
