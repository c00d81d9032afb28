// Which substrate is chosen by option and by environment.
import { expect } from 'chai'
import { isConduitError } from '../../src/errors.js'
import { openSubstrate, selectBackend } from '../../src/substrate/select.js'

describe('the choice of the substrate', () => {
  it('is local unless told otherwise', () => {
    expect(selectBackend('')).to.equal('local')
    expect(selectBackend('local')).to.equal('local')
    expect(selectBackend('xen')).to.equal('xen')
  })

  it('is a mistake of the caller when there is no such backend', () => {
    for (const value of ['Local', 'kvm', 'local '])
      expect(() => selectBackend(value), value).to.throw(RangeError, value)
  })

  it('says what to do where the backend is not there', async () => {
    const error = await openSubstrate({ backend: 'xen' }).catch((reason: unknown) => reason)
    expect(isConduitError(error, 'SUBSTRATE_UNAVAILABLE')).to.equal(true)
    expect(error).to.have.property('hint').that.contains('CONDUIT_BACKEND')
  })
})
