// The bench's statistics and how it writes numbers.
import { expect } from 'chai'
import fc from 'fast-check'
import { bytes, duration, scaled, threeDigits } from '../../bench/quantity.js'
import { median, quantile, summarize } from '../../bench/statistics.js'

const samples = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 50 })

describe('bench statistics', () => {
  it('take the middle sample, and the mean of the two in the middle', () => {
    expect(median([5, 1, 3])).to.equal(3)
    expect(median([4, 1, 3, 10])).to.equal(3.5)
    expect(median([7])).to.equal(7)
  })

  it('sort by size, not by spelling', () => {
    expect(median([10, 9, 100])).to.equal(10)
    expect(quantile([10, 9, 100], 1)).to.equal(100)
  })

  it('give a quantile that was measured, by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(quantile(hundred, 0.5)).to.equal(50)
    expect(quantile(hundred, 0.99)).to.equal(99)
    expect(quantile(hundred, 0)).to.equal(1)
    expect(quantile(hundred, 1)).to.equal(100)
  })

  it('leave at least the asked share of the samples at or below a quantile', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const found = quantile(values, share)
        expect(values).to.include(found)
        expect(values.filter((value) => value <= found).length).to.be.at.least(Math.floor(share * values.length))
      }),
    )
  })

  it('do not reorder what they are given', () => {
    const values = [3, 1, 2]
    median(values)
    quantile(values, 0.5)
    summarize(values)
    expect(values).to.deep.equal([3, 1, 2])
  })

  it('summarize as median, least, most and count', () => {
    expect(summarize([3, 1, 2])).to.deep.equal({ median: 2, min: 1, max: 3, runs: 3 })
  })

  it('refuse to make something of nothing', () => {
    expect(() => median([])).to.throw(RangeError)
    expect(() => quantile([], 0.5)).to.throw(RangeError)
    expect(() => quantile([1], 1.5)).to.throw(RangeError)
    expect(() => quantile([1], Number.NaN)).to.throw(RangeError)
  })
})

describe('bench quantities', () => {
  it('show three digits', () => {
    expect([0.123456, 1.23456, 12.3456, 123.456, 1234.56, 0].map(threeDigits)).to.deep.equal([
      '0.12',
      '1.23',
      '12.3',
      '123',
      '1235',
      '0.00',
    ])
  })

  it('choose the unit that fits', () => {
    expect(scaled(4.2e9, 'B/s')).to.equal('4.20 GB/s')
    expect(scaled(2.5e6, '/s')).to.equal('2.50 M/s')
    expect(scaled(999, '/s')).to.equal('999 /s')
    expect(duration(0.85)).to.equal('850 ns')
    expect(duration(105)).to.equal('105 µs')
    expect(duration(4560)).to.equal('4.56 ms')
    expect(bytes(64)).to.equal('64 B')
    expect(bytes(4096)).to.equal('4 KiB')
    expect(bytes(1 << 20)).to.equal('1 MiB')
    expect(bytes(5600)).to.equal('5.47 KiB')
  })
})
