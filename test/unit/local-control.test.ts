// The control protocol's bytes: a C library relies on them.
import { expect } from 'chai'
import fc from 'fast-check'
import {
  CONTROL_HEADER_BYTES,
  CONTROL_SOCKET_NAME,
  type ControlMessage,
  ControlStatus,
  ControlType,
  decodeControl,
  domainStoreName,
  encodeControl,
  isWellFormed,
  MAX_MAP_GREFS,
} from '../../protocol/local-control.js'
import { DOMID_FIRST_RESERVED } from '../../protocol/xen.js'

const message = (type: ControlType, words: number[]): ControlMessage => ({
  type,
  status: ControlStatus.OK,
  sequence: 7,
  words,
})

describe('local control protocol', () => {
  it('is little-endian: u16 type, u16 status, u32 sequence, u32 words', () => {
    const bytes = encodeControl({
      type: ControlType.BIND,
      status: ControlStatus.BAD_PORT,
      sequence: 0x01020304,
      words: [3, 0xfffffffe],
    })
    expect([...bytes]).to.deep.equal([7, 0, 3, 0, 4, 3, 2, 1, 3, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff])
  })

  it('gives a domain’s store socket a name no longer than the control socket’s, which is known to fit', () => {
    expect(domainStoreName(DOMID_FIRST_RESERVED - 1).length).to.be.at.most(CONTROL_SOCKET_NAME.length)
  })

  it('decodes what it encodes', () => {
    const u32 = fc.integer({ min: 0, max: 0xffffffff })
    const types = Object.values(ControlType)
    fc.assert(
      fc.property(fc.constantFrom(...types), u32, fc.array(u32, { maxLength: 40 }), (type, sequence, words) => {
        const original: ControlMessage = { type, status: ControlStatus.OK, sequence, words }
        expect(decodeControl(encodeControl(original))).to.deep.equal(original)
      }),
    )
  })

  it('decodes no message from bytes that are none, and never throws', () => {
    for (const length of [0, 1, 7, 9, 11]) expect(decodeControl(new Uint8Array(length))).to.equal(undefined)
    expect(decodeControl(Uint8Array.of(99, 0, 0, 0, 0, 0, 0, 0))).to.equal(undefined)
    expect(decodeControl(Uint8Array.of(1, 0, 99, 0, 0, 0, 0, 0))).to.equal(undefined)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoded = decodeControl(bytes)
        if (decoded !== undefined) expect(CONTROL_HEADER_BYTES + 4 * decoded.words.length).to.equal(bytes.length)
      }),
    )
  })

  it('tells a request with too few or too many words', () => {
    expect(isWellFormed(message(ControlType.BIND, [1, 2, 3]))).to.equal(true)
    expect(isWellFormed(message(ControlType.BIND, [1, 2]))).to.equal(false)
    expect(isWellFormed(message(ControlType.BIND, [1, 2, 3, 4]))).to.equal(false)
    expect(isWellFormed(message(ControlType.STORE_SOCKET, []))).to.equal(true)
    expect(isWellFormed(message(ControlType.STORE_SOCKET, [1]))).to.equal(false)
    expect(isWellFormed(message(ControlType.MAP, [1, 0, 0, 1]))).to.equal(false)
    expect(isWellFormed(message(ControlType.MAP, [1, 0, 0, 1, ...Array(MAX_MAP_GREFS).fill(8)]))).to.equal(true)
    expect(isWellFormed(message(ControlType.MAP, [1, 0, 0, 1, ...Array(MAX_MAP_GREFS + 1).fill(8)]))).to.equal(false)
  })
})
