// The bench's logarithmic chart: points are where their values are, also those that lie far apart.
import { expect } from 'chai'
import { logChart, type PointRow } from '../../bench/log-chart.js'

const chartOf = (...rows: PointRow[]): string =>
  logChart({ title: 'T', subtitle: 'S', unit: 'ms', groups: [{ title: 'G', rows }] })
const row = (...values: number[]): PointRow => ({
  label: 'a <row>',
  kind: 'ours',
  points: values.map((value) => ({ value, label: `of ${value}` })),
})
const places = (svg: string): number[] => [...svg.matchAll(/<circle [^>]*cx="([\d.]+)"/g)].map(([, x]) => Number(x))

describe('a logarithmic chart', () => {
  it('puts values that are as many times apart at the same distance', () => {
    const [one, ten, hundred] = places(chartOf(row(1, 10, 100))) as [number, number, number]
    expect(ten - one).to.be.closeTo(hundred - ten, 0.2)
    expect(ten).to.be.greaterThan(one)
  })

  it('labels the powers of ten that enclose all values', () => {
    const svg = chartOf(row(0.4, 3), row(1200))
    for (const power of ['0.1 ms', '1 ms', '1000 ms', '10000 ms']) expect(svg).to.contain(`>${power}<`)
  })

  it('says what each point stands for, in well-formed text', () => {
    const svg = chartOf(row(5))
    expect(svg).to.contain('<title>of 5: 5 ms</title>').and.to.contain('a &lt;row&gt;')
  })

  it('refuses a value that has no logarithm', () => {
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => chartOf(row(value))).to.throw(RangeError, String(value))
  })
})
