// What a directory says of a name's conduit, as SVCB parameters and as texts.
import { expect } from 'chai'
import {
  CONDUIT_SVCB_KEY,
  type ConduitDiscovery,
  discoveryName,
  formatDiscoveryParams,
  formatDiscoveryTexts,
  parseDiscoveryParams,
  parseDiscoveryTexts,
} from '../../protocol/conduit-discovery.js'

const hostId = '0123456789abcdef0123456789abcdef'
const whole: ConduitDiscovery = { name: 'www', port: 'http', hostId }
const texts = (...lines: string[]): Buffer[] => lines.map((line) => Buffer.from(line))

describe('discovery of a conduit', () => {
  for (const discovery of [whole, { ...whole, port: undefined }]) {
    it(`comes back from parameters and from texts, ${discovery.port === undefined ? 'without' : 'with'} a port`, () => {
      expect(parseDiscoveryParams(formatDiscoveryParams(discovery))).to.deep.equal(discovery)
      expect(parseDiscoveryTexts(formatDiscoveryTexts(discovery))).to.deep.equal(discovery)
    })
  }

  it('is at _conduit, with keys for private use and readable texts', () => {
    expect(discoveryName('www.example.org')).to.equal('_conduit.www.example.org')
    expect([...formatDiscoveryParams(whole).keys()]).to.deep.equal([65280, 65281, 65282])
    expect(formatDiscoveryTexts(whole).map(String)).to.deep.equal(['conduit=www', 'port=http', `host=${hostId}`])
  })

  it('passes over what it does not know', () => {
    const params = formatDiscoveryParams(whole).set(1, Buffer.from([2, 0x68, 0x32]))
    expect(parseDiscoveryParams(params)).to.deep.equal(whole)
    expect(parseDiscoveryTexts([...texts('v=spf1 -all', ''), ...formatDiscoveryTexts(whole)])).to.deep.equal(whole)
  })

  it('is none where a key is mandatory that it does not know, or that is not there', () => {
    const mandatory = (...keys: number[]) => {
      const list = Buffer.alloc(2 * keys.length)
      for (const [index, key] of keys.entries()) list.writeUInt16BE(key, 2 * index)
      return formatDiscoveryParams({ ...whole, port: undefined }).set(0, list)
    }
    expect(parseDiscoveryParams(mandatory(CONDUIT_SVCB_KEY.NAME))).to.have.property('name', 'www')
    expect(parseDiscoveryParams(mandatory(CONDUIT_SVCB_KEY.NAME, 1))).to.equal(undefined)
    expect(parseDiscoveryParams(mandatory(CONDUIT_SVCB_KEY.PORT))).to.equal(undefined)
    expect(parseDiscoveryParams(mandatory())).to.equal(undefined)
    expect(parseDiscoveryParams(formatDiscoveryParams(whole).set(0, Buffer.from([255])))).to.equal(undefined)
  })

  const wrong: Record<string, Buffer[]> = {
    'no name': texts(`host=${hostId}`),
    'no host': texts('conduit=www'),
    'a name in upper case': texts('conduit=WWW', `host=${hostId}`),
    'a name of two labels': texts('conduit=a.b', `host=${hostId}`),
    'the name of a part of the store': texts('conduit=flows', `host=${hostId}`),
    'a port that cannot be one': texts('conduit=www', 'port=a/b', `host=${hostId}`),
    'a short host': texts('conduit=www', 'host=0123'),
    'a name twice': texts('conduit=www', 'conduit=www', `host=${hostId}`),
    'a name with a byte over 126': [Buffer.from('conduit=w\xffw', 'latin1'), ...texts(`host=${hostId}`)],
    'a name with a line break': texts('conduit=www\n', `host=${hostId}`),
  }
  for (const [what, lines] of Object.entries(wrong)) {
    it(`is none with ${what}`, () => {
      expect(parseDiscoveryTexts(lines)).to.equal(undefined)
    })
  }

  it('cannot be said of what is no name, no port or no host', () => {
    for (const discovery of [
      { ...whole, name: 'a.b' },
      { ...whole, port: '' },
      { ...whole, hostId: 'x' },
    ]) {
      expect(() => formatDiscoveryParams(discovery)).to.throw(RangeError)
      expect(() => formatDiscoveryTexts(discovery)).to.throw(RangeError)
    }
  })
})
