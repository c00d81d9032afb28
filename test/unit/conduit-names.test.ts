// Which names, ports and addresses there are, and what is said of the others.
import { expect } from 'chai'
import {
  type Address,
  formatAddress,
  isReservedName,
  parseAddress,
  parseName,
  parsePort,
} from '../../protocol/conduit.js'

describe('names and addresses', () => {
  it('a name is one label in lower case', () => {
    for (const name of ['a', 'web', '0a', 'a_b-c', 'x'.repeat(63)]) expect(parseName(name), name).to.equal(name)
    expect(parseName('WeB')).to.equal('web')
  })

  it('what xenstore, DNS or vchan:// would read otherwise is no name', () => {
    const bad = ['', '-a', '_a', 'a.b', 'a b', 'a/b', '..', '@introduceDomain', '12', 'é', 'a\0', 'a\n', 'x'.repeat(64)]
    for (const text of bad) expect(parseName(text), JSON.stringify(text)).to.equal(undefined)
  })

  it('children of /conduit that are not services cannot be names', () => {
    for (const text of ['flows', 'handoff', 'host-id', 'FLOWS']) expect(parseName(text)).to.equal(undefined)
  })

  it('jitsud can be connected to, and only configuration gives it to somebody', () => {
    expect(parseName('jitsud')).to.equal('jitsud')
    expect(isReservedName('jitsud')).to.equal(true)
    expect(isReservedName('web')).to.equal(false)
  })

  it('a port may be digits', () => {
    expect(parsePort('80')).to.equal('80')
    expect(parsePort('HTTP')).to.equal('http')
    expect(parsePort('')).to.equal(undefined)
    expect(parsePort('a:b')).to.equal(undefined)
  })

  const good: [string, Address, string?][] = [
    ['web', { kind: 'name', name: 'web', port: undefined }],
    ['Web:HTTP', { kind: 'name', name: 'web', port: 'http' }, 'web:http'],
    ['vchan://web', { kind: 'name', name: 'web', port: undefined }, 'web'],
    ['vchan://web/http', { kind: 'name', name: 'web', port: 'http' }, 'web:http'],
    ['VCHAN://web:http', { kind: 'name', name: 'web', port: 'http' }, 'web:http'],
    ['vchan://exec/http', { kind: 'name', name: 'exec', port: 'http' }],
    ['vchan://listen/80', { kind: 'name', name: 'listen', port: '80' }],
    ['vchan://7/Http', { kind: 'direct', domid: 7 as never, port: 'Http' }],
  ]
  for (const [text, address, canonical] of good) {
    it(`${text} is an address`, () => {
      expect(parseAddress(text)).to.deep.equal(address)
      expect(formatAddress(address)).to.equal(canonical ?? text)
    })
  }

  const wrong: [string, 'CONDUIT_NAME' | 'EINVAL'][] = [
    ['', 'CONDUIT_NAME'],
    ['a.b', 'CONDUIT_NAME'],
    ['web:', 'CONDUIT_NAME'],
    ['web:a b', 'CONDUIT_NAME'],
    ['7', 'CONDUIT_NAME'],
    ['vchan://', 'CONDUIT_NAME'],
    ['vchan://7', 'CONDUIT_NAME'],
    ['vchan://32752/http', 'CONDUIT_NAME'],
    ['vchan://7/a/b', 'CONDUIT_NAME'],
    ['x'.repeat(10_000), 'CONDUIT_NAME'],
    ['tcp://127.0.0.1:80', 'EINVAL'],
    ['unix:///tmp/s', 'EINVAL'],
    ['exec:cat', 'EINVAL'],
    ['listen:web', 'EINVAL'],
  ]
  for (const [text, code] of wrong) {
    it(`${JSON.stringify(text.slice(0, 24))} is refused with ${code}, a reason and a hint`, () => {
      const result = parseAddress(text)
      expect(result).to.include({ code })
      expect(result).to.have.property('problem').that.has.length.above(10)
      expect(result).to.have.property('hint').that.has.length.above(10)
    })
  }
})
