// What a configuration may say of a held address, and what it is told when it says something else.
import { expect } from 'chai'
import { formatSocketAddress, holdSchema, parseSocketAddress } from '../../protocol/jitsud-hold-config.js'

const complaints = (value: unknown): string[] => {
  const { success, error } = holdSchema.safeParse(value)
  return success ? [] : error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('the configuration of a held address', () => {
  it('has defaults for what is not said', () => {
    expect(holdSchema.parse({ address: '127.0.0.1:8080', handover: 'fd' })).to.deep.equal({
      address: '127.0.0.1:8080',
      handover: 'fd',
      maxBytes: 65_536,
      maxConnections: 1024,
    })
  })

  it('takes the three ways to hand over, each with its target', () => {
    expect(complaints({ address: '[::]:80', handover: 'conduit' })).to.deep.equal([])
    expect(complaints({ address: '[::1]:80', handover: 'conduit', target: 'www:http' })).to.deep.equal([])
    expect(complaints({ address: '127.0.0.1:0', handover: 'tcp', target: '10.0.0.2:80' })).to.deep.equal([])
  })

  for (const [what, value, complaint] of [
    ['a host name', { address: 'localhost:80', handover: 'fd' }, 'address: an IP address and a port'],
    ['no port', { address: '127.0.0.1', handover: 'fd' }, 'address: an IP address and a port'],
    ['a port that is none', { address: '127.0.0.1:65536', handover: 'fd' }, 'address: an IP address and a port'],
    ['an address that is none', { address: '127.0.0.256:80', handover: 'fd' }, 'address: an IP address and a port'],
    ['IPv6 without brackets', { address: '::1:80', handover: 'fd' }, 'address: an IP address and a port'],
    ['a handover that there is not', { address: '127.0.0.1:80', handover: 'magic' }, 'handover: fd, conduit or tcp'],
    ['tcp without a target', { address: '127.0.0.1:80', handover: 'tcp' }, 'target: '],
    ['tcp to port 0', { address: '127.0.0.1:80', handover: 'tcp', target: '10.0.0.2:0' }, 'target: an IP address'],
    ['a name that cannot be one', { address: '127.0.0.1:80', handover: 'conduit', target: 'a b' }, 'target: a conduit'],
    ['a target for descriptors', { address: '127.0.0.1:80', handover: 'fd', target: 'www' }, 'Unrecognized key'],
    ['a limit of nothing', { address: '127.0.0.1:80', handover: 'fd', maxConnections: 0 }, 'maxConnections: '],
    ['half a byte', { address: '127.0.0.1:80', handover: 'fd', maxBytes: 0.5 }, 'maxBytes: '],
  ] as const) {
    it(`refuses ${what}, and says which key is wrong`, () => {
      const found = complaints(value)
      expect(found).to.have.length(1)
      expect(found[0]).to.contain(complaint)
    })
  }

  it('spells addresses as it reads them', () => {
    for (const text of ['127.0.0.1:80', '[::1]:65535', '0.0.0.0:0']) {
      expect(formatSocketAddress(parseSocketAddress(text)!)).to.equal(text)
    }
  })
})
