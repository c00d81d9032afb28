// Frames, paths and permissions of the xenstore wire as bytes and values.
import { expect } from 'chai'
import fc from 'fast-check'
import { domid } from '../../protocol/xen.js'
import { XenstoreFrames } from '../../protocol/xenstore-frames.js'
import {
  absoluteXenstorePath,
  childPath,
  countedPathBytes,
  leafName,
  levelsBelow,
  parentPath,
  xenstorePathDefect,
} from '../../protocol/xenstore-paths.js'
import { formatPermission, parsePermission } from '../../protocol/xenstore-permissions.js'
import {
  decodeStrings,
  encodeStrings,
  encodeXenstoreMessage,
  parseXenstoreU32,
  XENSTORE_TYPES,
  type XenstoreMessage,
  xenstoreTypeName,
} from '../../protocol/xenstore-wire.js'

const u32 = fc.integer({ min: 0, max: 0xffffffff })
const message = fc.record({
  type: u32,
  requestId: u32,
  transactionId: u32,
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
})

function takeAll(frames: XenstoreFrames): XenstoreMessage[] {
  const taken = []
  for (let next = frames.next(); next !== undefined; next = frames.next()) taken.push(next)
  return taken
}

describe('xenstore wire', () => {
  it('has a header of type, req_id, tx_id and len, u32 little-endian', () => {
    const payload = encodeStrings(['/a'])
    const bytes = encodeXenstoreMessage({ type: 2, requestId: 0x01020304, transactionId: 0xfffffffe, payload })
    const header = [2, 0, 0, 0, 4, 3, 2, 1, 0xfe, 0xff, 0xff, 0xff, 3, 0, 0, 0]
    expect([...bytes]).to.deep.equal([...header, 0x2f, 0x61, 0])
  })

  it('comes out as it went in, however it is split', () => {
    const split = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), split, (messages, sizes) => {
        const bytes = Buffer.concat(messages.map(encodeXenstoreMessage))
        const frames = new XenstoreFrames()
        const taken: XenstoreMessage[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length]!
          frames.push(bytes.subarray(at, at + size))
          at += size
          taken.push(...takeAll(frames))
        }
        expect(taken).to.deep.equal(messages)
        expect(frames.bufferedBytes).to.equal(0)
      }),
    )
  })

  it('takes a longer payload where the reader allows it', () => {
    const frames = new XenstoreFrames(5000)
    const long = Buffer.alloc(16 + 5000, 'x')
    long.writeUInt32LE(5000, 12)
    frames.push(long)
    expect(takeAll(frames)[0]?.payload).to.have.length(5000)
    long.writeUInt32LE(5001, 12)
    frames.push(long)
    expect(frames.next()).to.equal(undefined)
    expect(frames.broken).to.equal(true)
  })

  it('breaks on an announced payload over 4,096 bytes and gives nothing more', () => {
    const frames = new XenstoreFrames()
    const header = Buffer.alloc(16)
    header.writeUInt32LE(4097, 12)
    frames.push(encodeXenstoreMessage({ type: 1, requestId: 1, transactionId: 0, payload: Buffer.alloc(4096) }))
    frames.push(header)
    frames.push(encodeXenstoreMessage({ type: 1, requestId: 2, transactionId: 0, payload: Buffer.alloc(0) }))
    expect(takeAll(frames)).to.have.length(1)
    expect(frames.broken).to.equal(true)
  })

  it('refuses to encode a payload over 4,096 bytes', () => {
    const encode = () => encodeXenstoreMessage({ type: 1, requestId: 1, transactionId: 0, payload: Buffer.alloc(4097) })
    expect(encode).to.throw(RangeError)
  })

  it('names every type but 20', () => {
    const numbers = Object.values(XENSTORE_TYPES)
    expect(numbers).to.deep.equal([...Array.from({ length: 27 }, (_, n) => n).filter((n) => n !== 20)])
    expect(xenstoreTypeName(20)).to.equal(undefined)
    expect(xenstoreTypeName(22)).to.equal('DIRECTORY_PART')
  })

  it('keeps the bytes of strings, and tells what lacks its NUL', () => {
    const { strings, rest } = decodeStrings(Buffer.from([0xff, 0, 0, 0x61, 0x80]))
    expect(strings).to.deep.equal(['\xff', ''])
    expect([...rest]).to.deep.equal([0x61, 0x80])
    expect([...encodeStrings(strings, rest)]).to.deep.equal([0xff, 0, 0, 0x61, 0x80])
  })

  it('reads decimal u32 strictly', () => {
    expect(parseXenstoreU32('4294967295')).to.equal(4294967295)
    for (const text of ['', '-1', '+1', ' 1', '1 ', '01', '0x1', '4294967296', '99999999999', '1\n', undefined]) {
      expect(parseXenstoreU32(text), String(text)).to.equal(undefined)
    }
  })
})

describe('xenstore permissions', () => {
  it('are a letter and a domid', () => {
    expect(parsePermission('b7')).to.deep.equal({ access: 'b', domid: 7 })
    expect(formatPermission({ access: 'n', domid: domid(0) })).to.equal('n0')
    for (const text of ['', 'b', '7', 'x1', 'b-1', 'b01', 'b 1', 'b65536', 'b32752', 'b1,', 'B1']) {
      expect(parsePermission(text), text).to.equal(undefined)
    }
  })
})

describe('xenstore paths', () => {
  it('take letters, digits and / _ @ -, without empty components', () => {
    for (const path of ['/', '/a', '/A-b_c@9', 'data/x', '@releaseDomain', `/${'a'.repeat(3071)}`]) {
      expect(xenstorePathDefect(path), path).to.equal(undefined)
    }
    for (const path of ['', '//', '/a//b', '/a/', 'a/', '/a.b', '/ä', '/a b', '/a\0', '/a\n', `/${'a'.repeat(3072)}`]) {
      expect(xenstorePathDefect(path), path).to.be.a('string')
    }
    expect(xenstorePathDefect('a'.repeat(2049))).to.be.a('string')
  })

  it('resolve, split and join', () => {
    expect(absoluteXenstorePath('data/x', domid(3))).to.equal('/local/domain/3/data/x')
    expect(absoluteXenstorePath('/x', domid(3))).to.equal('/x')
    expect(absoluteXenstorePath('@releaseDomain', domid(3))).to.equal('@releaseDomain')
    expect([parentPath('/a/b'), parentPath('/a'), parentPath('@x')]).to.deep.equal(['/a', '/', '/'])
    expect([leafName('/a/b'), leafName('/a')]).to.deep.equal(['b', 'a'])
    expect([childPath('/', 'a'), childPath('/a', 'b')]).to.deep.equal(['/a', '/a/b'])
    expect([countedPathBytes('/local/domain/12/abc'), countedPathBytes('/abc')]).to.deep.equal([3, 4])
  })

  it('count levels', () => {
    expect([levelsBelow('/a', '/a'), levelsBelow('/a/b', '/a'), levelsBelow('/a/b/c', '/a')]).to.deep.equal([0, 1, 2])
    expect([levelsBelow('/a', '/'), levelsBelow('/a/b', '/')]).to.deep.equal([1, 2])
    expect([levelsBelow('/ab', '/a'), levelsBelow('/a', '/a/b'), levelsBelow('@x', '/')]).to.deep.equal([-1, -1, -1])
  })
})
