// Names in bytes and text, and what hostile bytes make of them.
import { expect } from 'chai'
import fc from 'fast-check'
import { canonicalName, DnsWriter, nameLabels, readName, skipName } from '../../protocol/dns.js'

/** A message that begins with a header's worth of zeros. */
const message = (...bytes: number[]): Buffer => Buffer.from([...Array<number>(12).fill(0), ...bytes])
const label = (text: string): number[] => [text.length, ...Buffer.from(text, 'latin1')]

const written = (...names: string[]): Buffer => {
  const writer = new DnsWriter()
  writer.bytes(Buffer.alloc(12))
  for (const name of names) writer.name(name)
  return writer.finish()
}

describe('domain names', () => {
  it('keep their case, and the root is a dot', () => {
    expect(readName(message(...label('WwW'), ...label('eXample'), 0), 12)).to.deep.equal({
      name: 'WwW.eXample',
      end: 25,
    })
    expect(readName(message(0), 12)).to.deep.equal({ name: '.', end: 13 })
  })

  it('with a dot, a backslash, a NUL or a byte over 126 in a label have a spelling of their own', () => {
    const name = readName(message(...label('a.b\\c\0\xff '), ...label('d'), 0), 12)?.name
    expect(name).to.equal('a\\.b\\\\c\\000\\255\\032.d')
    expect(name).not.to.equal(readName(message(...label('a'), ...label('b\\c\0\xff '), ...label('d'), 0), 12)?.name)
    expect(nameLabels(name!)?.map((bytes) => Buffer.from(bytes).toString('latin1'))).to.deep.equal([
      'a.b\\c\0\xff ',
      'd',
    ])
  })

  it('come back from bytes as they were, whatever bytes their labels have', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 63 })
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 3 }), (labels) => {
        const wire = message(...labels.flatMap((each) => [each.length, ...each]), 0)
        const read = readName(wire, 12)!
        expect(read.end).to.equal(wire.length)
        expect(nameLabels(read.name)).to.deep.equal(labels)
        expect(written(read.name)).to.deep.equal(wire)
      }),
    )
  })

  it('share their ends: a later name points to an earlier one, if it is spelt alike', () => {
    const wire = written('www.example.org', 'mail.example.org', 'www.example.org', 'www.Example.org')
    expect(wire).to.have.length(12 + 17 + 7 + 2 + (4 + 8 + 2))
    expect(readName(wire, 29)).to.deep.equal({ name: 'mail.example.org', end: 36 })
    expect(readName(wire, 36)).to.deep.equal({ name: 'www.example.org', end: 38 })
    expect(readName(wire, 38)).to.deep.equal({ name: 'www.Example.org', end: 52 })
  })

  for (const text of [
    'a..b',
    '.a',
    'a'.repeat(64),
    `${'a'.repeat(63)}.`.repeat(4),
    'münchen.de',
    'a b',
    'a\\1',
    'a\\999',
    'a\\',
  ]) {
    it(`cannot be ${JSON.stringify(text.slice(0, 20))} (${text.length} characters)`, () => {
      expect(nameLabels(text)).to.equal(undefined)
      expect(() => written(text)).to.throw(RangeError)
    })
  }

  it('have 255 bytes at most, in text as on the wire', () => {
    const longest = [63, 63, 63, 61].map((length) => 'a'.repeat(length)).join('.')
    expect(readName(written(longest), 12)?.name).to.equal(longest)
    expect(nameLabels(`a${longest}`)).to.equal(undefined)
    const tooLong = message(...[63, 63, 63, 62].flatMap((length) => label('a'.repeat(length))), 0)
    expect(readName(tooLong, 12)).to.equal(undefined)
  })

  it('are compared in lower case without the last dot, and only ASCII has a lower case', () => {
    expect(canonicalName('WWW.Example.ORG.')).to.equal('www.example.org')
    expect(canonicalName('.')).to.equal('.')
    expect(canonicalName('a\\.')).to.equal('a\\.')
    expect(canonicalName('a\\\\.')).to.equal('a\\\\')
    expect(canonicalName('\u212a.org')).to.equal('\u212a.org')
  })

  const hostile: Record<string, Buffer> = {
    'that runs out of the message': message(5, 1, 2),
    'without an end': message(...label('a')),
    'whose label has a reserved length': message(0x40, 0),
    'that points to itself': message(0xc0, 12),
    'that points forward': message(0xc0, 14, 0),
    'that points into the header': message(0xc0, 4),
    'whose pointer is cut off': message(0xc0),
  }
  for (const [what, wire] of Object.entries(hostile)) {
    it(`a name ${what} is none`, () => expect(readName(wire, 12)).to.equal(undefined))
  }

  it('a loop of pointers through labels is none', () => {
    const wire = message(...label('a'), 0xc0, 14, 0xc0, 12)
    expect(readName(wire, 16)).to.equal(undefined)
  })

  it('a long chain of pointers costs no more than 127 steps', () => {
    const wire = Buffer.alloc(12 + 2 * 8000)
    wire.writeUInt16BE(0x0000, 12)
    for (let at = 14; at < wire.length; at += 2) wire.writeUInt16BE(0xc000 | Math.min(at - 2, 0x3fff), at)
    expect(readName(wire, 12 + 2 * 100)).to.have.property('name', '.')
    expect(readName(wire, 12 + 2 * 200)).to.equal(undefined)
  })

  it('are skipped without following a pointer', () => {
    expect(skipName(message(...label('a'), 0xc0, 12, 1), 12)).to.equal(16)
    expect(skipName(message(...label('a'), 0xc0), 12)).to.equal(undefined)
    expect(skipName(message(...label('a')), 12)).to.equal(undefined)
    expect(skipName(message(0x80), 12)).to.equal(undefined)
  })
})
