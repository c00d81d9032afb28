// Option values of conduit-cat: what they may be, and what is refused.
import { expect } from 'chai'
import { InvalidArgumentError } from 'commander'
import { address, count, demoBytes, ringBytes, secondsAsMillis, spinMicros } from '../../src/cli/option-values.js'
import { UsageError } from '../../src/cli/usage-error.js'

describe('option values', () => {
  const accepted: [string, (text: string) => number, Record<string, number>][] = [
    ['a ring', ringBytes, { 1024: 1024, '64k': 65536, '1M': 1048576, '1024K': 1048576 }],
    ['seconds', secondsAsMillis, { 1: 1000, '0.25': 250, '0.0001': 1, 2147483: 2147483000 }],
    ['a spin', spinMicros, { 0: 0, 50: 50 }],
    ['a count', count, { 1: 1, 1000000: 1000000 }],
    ['a file', demoBytes, { '1M': 1048576, '2g': 2147483648 }],
  ]
  for (const [what, parse, examples] of accepted) {
    for (const [text, value] of Object.entries(examples)) {
      it(`${what} of ${text} is ${value}`, () => expect(parse(text)).to.equal(value))
    }
  }

  const refused: [string, (text: string) => number, string[]][] = [
    ['a ring', ringBytes, ['0', '1023', '2M', '1G', '-1', '1e4', '64 k', 'k', '', '0x400', '99999999999999999999']],
    ['seconds', secondsAsMillis, ['0', '0.0', '-1', 'soon', '', '1e3', 'Infinity', '2147484', '.5']],
    ['a spin', spinMicros, ['-1', '1.5', '1000001', '']],
    ['a count', count, ['0', '1000001', 'NaN']],
  ]
  for (const [what, parse, examples] of refused) {
    for (const text of examples) {
      it(`${what} of ${JSON.stringify(text)} is refused`, () =>
        expect(() => parse(text)).to.throw(InvalidArgumentError))
    }
  }

  it('an address comes in its canonical spelling', () => {
    expect(address('Web')).to.equal('web')
    expect(address('vchan://web/http')).to.equal('web:http')
    expect(address('vchan://3/Http')).to.equal('vchan://3/Http')
  })

  for (const text of ['', 'a b', '123', 'tcp://a:1', 'a/b', '-', 'x'.repeat(64)]) {
    it(`an address of ${JSON.stringify(text)} is wrong usage`, () => {
      expect(() => address(text)).to.throw(UsageError, /^(CONDUIT_NAME|EINVAL): /)
    })
  }
})
