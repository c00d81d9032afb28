// What the unikernel makes of what others write, on this machine: its own C, with every access out of bounds an error.
import { expect } from 'chai'
import fc from 'fast-check'
import { formatConnect, parseEntry } from '../../protocol/conduit-entry.js'
import { parseName } from '../../protocol/conduit-name.js'
import {
  chooseOrders,
  END_MARK,
  END_MARK_MAGIC,
  endMarksOffset,
  grantTotal,
  LIVE,
  NOTIFY,
  OFFSET,
  ORDER,
  ordersFault,
} from '../../protocol/vchan-page.js'
import { encodeXenstoreMessage, XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { check, hasCompiler, unikernelCheck } from '../support/unikernel-check.js'

const PAGE = 4096
const END_MARKS = endMarksOffset({ left: 10, right: 11 })

describe("the unikernel's parts", function () {
  let program: string
  before(() => {
    if (!hasCompiler()) this.ctx.skip()
    program = unikernelCheck()
  })
  const run = (name: string, records: readonly (string | Uint8Array)[]) => check(program, name, records)

  it('take a number only where it is strictly decimal and in range', () => {
    const wrong = ['', '007', '-1', '+1', ' 1', '1 ', '0x1', '4294967296', '99999999999', '1\0']
    expect(run('number', ['0', '8', '4294967295', ...wrong])).to.deep.equal([
      '0',
      '8',
      '4294967295',
      ...wrong.map(() => 'none'),
    ])
  })

  it('read the requests that the SDK writes', () => {
    const requests = [
      { port: 'http', mode: 'stream', ringBytes: 65_536 },
      { port: undefined, mode: 'message', ringBytes: undefined },
      { port: undefined, mode: 'stream', ringBytes: 1024 },
    ] as const
    const lines = requests.map(
      ({ port = '', mode, ringBytes = 0 }) => `connect port=${port} mode=${mode} ring=${ringBytes}`,
    )
    expect(run('entry', requests.map(formatConnect))).to.deep.equal(lines)
  })

  it('find in any entry what the SDK finds in it', () => {
    const word = fc.constantFrom(
      '(',
      ')',
      ' ',
      'connect',
      'port',
      'mode',
      'stream',
      'message',
      'ring',
      '1024',
      '0',
      'x',
    )
    const entry = fc.array(word, { maxLength: 16 }).map((words) => words.join(''))
    const shaped = fc
      .array(fc.tuple(fc.constantFrom('port', 'mode', 'ring', 'x'), fc.constantFrom('http', 'stream', '4096', '0')))
      .map((pairs) => `(connect ${pairs.map(([key, value]) => `(${key} ${value})`).join(' ')})`)
    const entries = fc.sample(fc.oneof(entry, shaped), { numRuns: 3000, seed: 1 })
    const found = run('entry', entries)
    for (const [at, text] of entries.entries()) {
      expect(found[at]!.split(' ')[0], text).to.equal(parseEntry(text)?.kind ?? 'wrong')
    }
  })

  it('take for a name what the SDK takes for one', () => {
    const names = ['www', 'a', '0a', '12', '-a', '_a', 'a-b_c', 'UP', 'a.b', '', 'x'.repeat(63), 'x'.repeat(64)]
    expect(run('address', names)).to.deep.equal(
      names.map((name) => (parseName(name) === name ? `name=${name} port=` : 'none')),
    )
  })

  it('find the requests in what a client of HTTP sends, and tell bad ones', () => {
    const host = 'Host: uk\r\n'
    const cases: [string, string][] = [
      [`GET / HTTP/1.1\r\n${host}\r\nHEAD /a?b HTTP/1.0\r\n\r\nGET /left`, '/ HEAD:/a:close +9'],
      [`\r\n\r\nGET / HTTP/1.1\n${host}\n`, '/ +0'],
      [`GET http://uk/x HTTP/1.1\r\n${host}\r\n`, '/x +0'],
      [`GET / HTTP/1.1\r\nhOST:uk\r\nCONNECTION: foo, Close\r\n\r\n`, '/:close +0'],
      [`GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n`, '/ +0'],
      [`GET / HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`, '/:close +3'],
      ['GET / HTTP/1.1\r\n\r\n', '400 +0'],
      [`GET / HTTP/1.1\r\n${host}${host}\r\n`, '400 +0'],
      [`GET / HTTP/1.1\r\n${host}Space : x\r\n\r\n`, '400 +0'],
      [`GET / HTTP/1.1\r\n${host} folded\r\n\r\n`, '400 +0'],
      [`GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, '400 +0'],
      ['GET x HTTP/1.1\r\n\r\n', '400 +0'],
      ['GET /\r\n\r\n', '400 +0'],
      ['GET / HTTP/2.0\r\n\r\n', '505 +0'],
      ['POST / HTTP/1.1\r\n\r\n', '405 +0'],
      ['GET / HTTP/1.1\r\nHost: never ends', '+32'],
    ]
    const found = run(
      'http',
      cases.map(([request]) => request),
    )
    expect(found.map((line) => line.trim())).to.deep.equal(cases.map(([, line]) => line))
  })

  it('survive any head', () => {
    const piece = fc.constantFrom(
      'GET',
      ' ',
      '/',
      'HTTP/1.1',
      '\r\n',
      '\n',
      '\r',
      ':',
      'Host',
      '\0',
      '\x80',
      '?',
      'close',
    )
    const heads = fc.sample(
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      { numRuns: 5000, seed: 2 },
    )
    expect(
      run(
        'http',
        heads.map((head) => Buffer.from(head, 'latin1')),
      ),
    ).to.have.length(heads.length)
  })

  it('read messages of the store that are longer than its ring, and drop what is longer than a message', () => {
    const message = (id: number, bytes: number) =>
      encodeXenstoreMessage({
        type: XENSTORE_TYPES.READ,
        requestId: id,
        transactionId: 0,
        payload: Buffer.alloc(bytes, 'x'),
      })
    const list = Buffer.from(message(7, 4))
    list.writeUInt32LE(9000, 12)
    const long = Buffer.concat([list.subarray(0, 16), Buffer.alloc(9000)])
    expect(run('replies', [message(5, 4096), message(6, 0), long, message(8, 1)])).to.deep.equal([
      '2/5:4096 whole',
      '2/6:0 whole',
      '2/7:9000 whole',
      '2/8:1 whole',
    ])
  })

  it('ask nothing more of a store whose index or length cannot be', () => {
    const length = Buffer.alloc(16)
    length.writeUInt32LE(0x7fffffff, 12)
    expect(run('reply-index', [Buffer.from([1, 4, 0, 0])])).to.deep.equal(['broken'])
    expect(run('replies', [length, Buffer.alloc(16)])).to.deep.equal(['broken', 'broken'])
  })

  it("I9: show as a server what libxenvchan's and the SDK's clients look for", () => {
    for (const bytes of [0, 1024, 4096, 65_536]) {
      const [head, marks, text] = run('offer', [String(bytes)])[0]!.split(' ') as [string, string, string]
      const page = Buffer.from(head, 'hex')
      const orders = { left: page.readUInt16LE(OFFSET.LEFT_ORDER), right: page.readUInt16LE(OFFSET.RIGHT_ORDER) }
      expect(orders).to.deep.equal(chooseOrders(bytes, bytes))
      expect([page[OFFSET.CLI_LIVE], page[OFFSET.SRV_LIVE]]).to.deep.equal([LIVE.AWAITED, LIVE.CONNECTED])
      expect(page[OFFSET.CLI_NOTIFY]).to.equal(NOTIFY.WRITE)
      expect(Number(marks)).to.equal(endMarksOffset(orders))
      expect(Buffer.from(text, 'hex').readUInt16LE(END_MARK.MAGIC_OFFSET)).to.equal(END_MARK_MAGIC)
    }
  })

  it('I9: refuse as a client every page whose orders and references cannot be', () => {
    const orders = [0, 9, 10, 11, 12, 13, 20, 21, 255, 65_535]
    const pages = orders.flatMap((left) => orders.map((right) => ({ left, right })))
    const found = run(
      'client-page',
      pages.map((page) => pageOf(page)),
    )
    for (const [at, page] of pages.entries()) {
      expect(found[at] !== 'none', `${page.left}, ${page.right}`).to.equal(ordersFault(page) === undefined)
    }
    const reserved = pageOf({ left: 12, right: 12 })
    reserved.writeUInt32LE(7, OFFSET.GRANTS + 4)
    const dead = pageOf({ left: 10, right: 11 })
    dead[OFFSET.SRV_LIVE] = 0
    expect(run('client-page', [reserved, dead])).to.deep.equal(['none', 'none'])
  })

  it('I6, I8: read on before the end, and tell an end from a crash', () => {
    const gone = (state: number, unread: number) => {
      const page = servedPage()
      page[OFFSET.CLI_LIVE] = LIVE.DEAD
      page[END_MARKS + END_MARK.CLIENT_OFFSET] = state
      page.writeUInt32LE(unread, OFFSET.LEFT_PROD)
      return page
    }
    const received = run('server-page', [gone(1, 0), gone(2, 0), gone(0, 0), gone(1, 5), gone(2, 5), gone(3, 0)])
    expect(received.map((line) => /received=(\S+)/.exec(line)?.[1])).to.deep.equal(['-2', '-1', '-1', '5', '5', '-3'])
  })

  it('I5: kick who asked to be told, and nobody else', () => {
    const asked = (bits: number) => {
      const page = servedPage()
      page[OFFSET.SRV_NOTIFY] = bits
      return page
    }
    const kicks = run('server-page', [asked(0), asked(NOTIFY.WRITE), asked(NOTIFY.READ)])
    expect(kicks.map((line) => /kicked=(\d+)/.exec(line)?.[1])).to.deep.equal(['0', '1', '0'])
  })

  it('I4: break off, and touch nothing, when an index cannot be', () => {
    const page = pageOf({ left: 10, right: 11 })
    page.writeUInt32LE(2049, OFFSET.RIGHT_PROD)
    expect(run('client-page', [page])[0]).to.match(/received=-3 sent=-3/)
    expect(run('server-page', [Buffer.alloc(PAGE, 0xff)])[0]).to.match(/received=-3 sent=-3/)
  })

  it('I4: stay within their rings whatever the page holds', () => {
    const pages = fc.sample(fc.tuple(fc.uint8Array({ minLength: 24, maxLength: 24 }), fc.boolean()), {
      numRuns: 2000,
      seed: 3,
    })
    const scribbled = pages.map(([bytes, plausible]) => {
      const page = pageOf({ left: 10, right: 11 })
      page.set(plausible ? bytes.subarray(0, 2) : bytes.subarray(0, 16), OFFSET.LEFT_PROD)
      return page
    })
    for (const name of ['client-page', 'server-page']) expect(run(name, scribbled)).to.have.length(scribbled.length)
  })
})

/** The page that the unikernel serves with both rings in it, as it is once its client has come. */
function servedPage(): Buffer {
  const page = pageOf({ left: 10, right: 11 })
  page.writeUInt16LE(END_MARK_MAGIC, END_MARKS)
  page[END_MARKS + END_MARK.VERSION_OFFSET] = 1
  page[END_MARKS + END_MARK.SERVER_OFFSET] = 1
  return page
}

/** A page that a server of these orders shows, with references that can be. */
function pageOf(orders: { readonly left: number; readonly right: number }): Buffer {
  const page = Buffer.alloc(PAGE)
  page.writeUInt16LE(orders.left, OFFSET.LEFT_ORDER)
  page.writeUInt16LE(orders.right, OFFSET.RIGHT_ORDER)
  page.set([LIVE.CONNECTED, LIVE.CONNECTED], OFFSET.CLI_LIVE)
  const { left, right } = orders
  const references = Math.max(left, right) <= ORDER.MAX ? Math.min(grantTotal(orders), 1000) : 0
  for (let at = 0; at < references; at++) page.writeUInt32LE(8 + at, OFFSET.GRANTS + 4 * at)
  return page
}
