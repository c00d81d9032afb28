// The pure decoders and text that others wrote: none throws, each takes only what it would write itself or says why not,
// and what it took is spelt back to the same value.
import { expect } from 'chai'
import fc from 'fast-check'
import {
  formatAddress,
  formatConnect,
  formatFlow,
  parseAddress,
  parseAnswer,
  parseEntry,
  parseEventChannel,
  parseFlow,
  parseName,
  parsePort,
  parseRingRef,
} from '../../protocol/conduit.js'
import { isDirectPort } from '../../protocol/conduit-name.js'
import {
  clientPath,
  isConnectionId,
  listenPath,
  mailboxPath,
  namePath,
  parseDomid,
  parseListenEvent,
  parseMailboxEvent,
} from '../../protocol/conduit-paths.js'
import { decodeControl, encodeControl, isWellFormed } from '../../protocol/local-control.js'
import { formatRecord, formatSExpression, parseRecord, parseSExpression } from '../../protocol/s-expression.js'
import { END_MARK, endMarksOffset, grantTotal, inPageOffset, OFFSET } from '../../protocol/vchan-page.js'
import { domid, PAGE_BYTES } from '../../protocol/xen.js'
import { xenstorePathDefect } from '../../protocol/xenstore-paths.js'
import { formatPermission, parsePermission } from '../../protocol/xenstore-permissions.js'
import { snapshotControlPage } from '../../src/vchan/control-page-snapshot.js'

const RUNS = { numRuns: 3000 }

const words = fc.constantFrom(
  ...['connect', 'established', 'accepted', 'refused', 'port', 'mode', 'ring', 'client', 'name', 'stream', 'message'],
  ...[
    'exec',
    'listen',
    'vchan',
    'tcp',
    'jitsud',
    'flows',
    'host-id',
    '__proto__',
    'constructor',
    'toString',
    'ECONNREFUSED',
  ],
  ...['0', '1', '7', '007', '65536', '32751', '32752', '4294967295', '4294967296', '1e3', '-1', '+1', '０', 'ı', 'K'],
)
const marks = fc.constantFrom('(', ')', ' ', '\n', '\0', ':', '/', '//', '://', '.', '-', '_', 'é', '\ud800')
/** Text that looks as if it belonged there, and any text. */
const text = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.oneof(words, marks), { maxLength: 14 }).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) },
  { weight: 1, arbitrary: fc.constantFrom('('.repeat(600), 'a'.repeat(600), `${'('.repeat(5)}a${')'.repeat(5)}`, '') },
)
const label = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/)
const aName = fc.oneof(words, label).filter((name) => parseName(name) === name)
const aPort = fc.oneof(words, label).filter((port) => parsePort(port) === port)
const aDomid = fc.integer({ min: 0, max: 32751 }).map(domid)

const always = (property: (text: string) => void): void => fc.assert(fc.property(text, property), RUNS)

describe('decoders of text, fuzzed', () => {
  it('s-expressions: what is taken is a value of bounded depth that is spelt back to itself', () => {
    const depth = (value: unknown): number => (Array.isArray(value) ? 1 + Math.max(0, ...value.map(depth)) : 0)
    always((source) => {
      const value = parseSExpression(source)
      if (value === undefined) return
      expect(depth(value)).to.be.at.most(4)
      expect(parseSExpression(formatSExpression(value))).to.deep.equal(value)
    })
  })

  it('records: every set of fields comes back, whatever the fields are called', () => {
    const atom = fc.oneof(words, label).filter((word) => /^[A-Za-z0-9_.:/@+*-]+$/.test(word))
    fc.assert(
      fc.property(
        atom,
        fc.uniqueArray(fc.tuple(atom, atom), { selector: ([key]) => key, maxLength: 6 }),
        (head, pairs) => {
          const fields = Object.fromEntries(pairs)
          const record = parseRecord(formatRecord(head, fields))
          expect(record?.head).to.equal(head)
          expect(Object.entries(record?.fields ?? {})).to.have.deep.members(pairs)
        },
      ),
      RUNS,
    )
  })

  it('entries and flows: what is taken is spelt back to itself', () => {
    always((source) => {
      const entry = parseEntry(source)
      if (entry?.kind === 'connect') expect(parseEntry(formatConnect(entry.request))).to.deep.equal(entry)
      const flow = parseFlow(source)
      if (flow !== undefined) expect(parseFlow(formatFlow(flow))).to.deep.equal(flow)
      const answer = parseAnswer(source)
      if (answer !== undefined) expect(answer.ok ? 'ok' : answer.code).to.equal(source)
    })
    const mode = fc.constantFrom('stream' as const, 'message' as const)
    const ringBytes = fc.option(fc.integer({ min: 1024, max: 2 ** 20 }), { nil: undefined })
    const port = fc.option(aPort, { nil: undefined })
    fc.assert(
      fc.property(
        fc.record({ port, mode, ringBytes }),
        fc.record({ client: aDomid, name: aName, port }),
        (request, flow) => {
          expect(parseEntry(formatConnect(request))).to.deep.equal({ kind: 'connect', request })
          expect(parseFlow(formatFlow({ state: 'established', ...flow }))).to.deep.equal({
            state: 'established',
            ...flow,
          })
        },
      ),
      RUNS,
    )
  })

  it('numbers: only the one spelling of a number that can be one is taken', () => {
    const decimal = fc.oneof(text, fc.bigInt({ min: -5n, max: 2n ** 33n }).map(String))
    fc.assert(
      fc.property(decimal, (source) => {
        for (const parse of [parseDomid, parseRingRef, parseEventChannel]) {
          const value: number | undefined = parse(source)
          if (value !== undefined) expect(String(value)).to.equal(source)
        }
        const permission = parsePermission(source)
        if (permission !== undefined) expect(formatPermission(permission)).to.equal(source)
      }),
      RUNS,
    )
  })

  it('names and ports: what is taken stays as it is and makes paths that the store takes', () => {
    always((source) => {
      const name = parseName(source)
      const port = parsePort(source)
      if (name !== undefined) {
        expect(parseName(name)).to.equal(name)
        expect(xenstorePathDefect(listenPath(name))).to.equal(undefined)
      }
      if (port !== undefined) expect(parsePort(port)).to.equal(port)
      if (isDirectPort(source)) expect(xenstorePathDefect(`/local/domain/1/data/vchan/${source}`)).to.equal(undefined)
    })
  })

  it('addresses: each is a value or a problem with a code, and a value is spelt back to itself', () => {
    const known = fc.oneof(
      fc.tuple(aName, aPort).map(([name, port]) => `vchan://${name}/${port}`),
      fc.tuple(aName, aPort).map(([name, port]) => `${name}:${port}`),
      fc.tuple(aDomid, aPort).map(([id, port]) => `vchan://${id}/${port}`),
    )
    fc.assert(
      fc.property(fc.oneof(text, known), (source) => {
        const address = parseAddress(source)
        if ('problem' in address) {
          expect(address.code).to.be.oneOf(['CONDUIT_NAME', 'EINVAL'])
          expect(address.hint).not.to.equal('')
        } else {
          expect(parseAddress(formatAddress(address)), source).to.deep.equal(address)
        }
      }),
      RUNS,
    )
  })

  it('events: a path below a mailbox or a listen directory names what it is about, and any other nothing', () => {
    const mailbox = mailboxPath(domid(7))
    const listen = listenPath('web')
    const below = fc
      .tuple(fc.constantFrom('', mailbox, listen, namePath('web')), text)
      .map(([root, rest]) => root + rest)
    fc.assert(
      fc.property(below, (path) => {
        const event = parseMailboxEvent(mailbox, path)
        if ('name' in event) expect(path).to.equal(`${mailbox}/${event.kind}/${event.name}`)
        const listened = parseListenEvent(listen, path)
        if (listened === undefined) return
        const { client, connectionId } = listened
        const parts = connectionId === undefined ? [] : [connectionId]
        expect(path).to.equal([clientPath('web', client), ...parts].join('/'))
        expect(parts.every(isConnectionId)).to.equal(true)
      }),
      RUNS,
    )
  })
})

describe('decoders of bytes, fuzzed', () => {
  it('control page: any bytes decode; without a fault, grants and end marks lie clear of the rings', () => {
    const order = fc.oneof(fc.integer({ min: 9, max: 21 }), fc.constantFrom(0, 255, 65535))
    const header = fc.uint8Array({ minLength: OFFSET.GRANTS, maxLength: PAGE_BYTES })
    fc.assert(
      fc.property(header, order, order, (bytes, left, right) => {
        const page = new Uint8Array(PAGE_BYTES)
        page.set(bytes)
        const view = new DataView(page.buffer)
        view.setUint16(OFFSET.LEFT_ORDER, left, true)
        view.setUint16(OFFSET.RIGHT_ORDER, right, true)
        const snapshot = snapshotControlPage(page.buffer)
        expect([snapshot.left.order, snapshot.right.order]).to.deep.equal([left, right])
        const total = snapshot.left.grants.length + snapshot.right.grants.length
        if (snapshot.fault !== undefined) {
          expect([total, snapshot.endMarks]).to.deep.equal([0, undefined])
          return
        }
        expect(total).to.equal(grantTotal({ left, right }))
        const end = endMarksOffset({ left, right }) + END_MARK.BYTES
        expect(end).to.be.at.most(Math.min(inPageOffset(left) ?? PAGE_BYTES, inPageOffset(right) ?? PAGE_BYTES))
      }),
      RUNS,
    )
  })

  it('local control: what is taken is written back byte for byte, wherever in a buffer it lay', () => {
    const u16 = fc.oneof(fc.integer({ min: 0, max: 14 }), fc.integer({ min: 0, max: 65535 }))
    const shaped = fc.tuple(u16, u16, fc.uint8Array({ maxLength: 64 })).map(([type, status, rest]) => {
      const bytes = Buffer.alloc(4 + rest.length)
      bytes.writeUInt16LE(type, 0)
      bytes.writeUInt16LE(status, 2)
      bytes.set(rest, 4)
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(shaped, fc.uint8Array({ maxLength: 64 })), fc.nat(7), (bytes, shift) => {
        const whole = new Uint8Array(bytes.length + shift)
        whole.set(bytes, shift)
        const message = decodeControl(whole.subarray(shift))
        if (message === undefined) return
        expect([...encodeControl(message)]).to.deep.equal([...bytes])
        expect(isWellFormed(message)).to.be.a('boolean')
      }),
      RUNS,
    )
  })
})
