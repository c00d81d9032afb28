// The tables of bench:summon: medians by way and memory, factors against xl create of the same memory, crowds beside the paper's.
import { expect } from 'chai'
import type { Sample, Way } from '../../bench/summon-cases.js'
import { summonPlot, summonTables } from '../../bench/summon-report.js'

const machine = {
  cpu: 'a processor',
  cores: 2,
  memoryBytes: 1,
  kernel: '6.1',
  architecture: 'x64',
  node: 'v20',
  v8: '11',
  date: '2020-01-02T03:04:05Z',
}
const summon = (way: Way, echo: number, over: object = {}): Sample => ({
  kind: 'summon',
  type: 'pv',
  way,
  mib: 4,
  times: { echo },
  ...over,
})
const rowOf = (text: string, start: string): string[] =>
  text
    .split('\n')
    .find((line) => line.startsWith(`| ${start}`))!
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())

describe('the tables of bench:summon', () => {
  const samples: Sample[] = [
    summon('xl', 900),
    summon('xl', 1200),
    summon('xl', 1000),
    summon('pool', 20, { times: { echo: 20, ready: 12, http: 25, instruction: 1 }, bootMs: 1.2 }),
    summon('pool', 5, { mib: 16 }),
    { kind: 'crowd', store: 'c', how: 'direct', order: 'parallel', count: 50, seconds: 4 },
    { kind: 'crowd', store: 'ocaml', how: 'direct', order: 'parallel', count: 50, seconds: 3 },
  ]
  const text = summonTables({ machine, samples })

  it('show the median of each way and how many times faster it is than xl create', () => {
    expect(rowOf(text, 'xl create  ')).to.deep.equal(['xl create', '4', '', '', '1000', '', '1.00'])
    expect(rowOf(text, 'paused pool')).to.deep.equal(['paused pool', '4', '1.00', '12.0', '20.0', '25.0', '50.0'])
  })

  it('leave out what was not measured', () => {
    expect(text).to.not.contain('PVH').and.not.contain('provisioned')
    expect(text).to.match(/^\| paused pool +\| +16 \|/m)
  })

  it('put crowds beside those of the paper', () => {
    expect(rowOf(text, 'direct build, at once, C xenstored')[1]).to.equal('4.00')
    expect(rowOf(text, "the paper's, at once, oxenstored 4.4")[1]).to.equal('14.0')
  })

  it('say what the guest itself took', () => {
    expect(text).to.contain('until its keys are queued: 1.20 ms')
  })

  it('plot a row for each way that was measured', () => {
    const svg = summonPlot({ machine, samples })
    expect(svg).to.contain('>paused pool<').and.to.contain('4 MiB: 20 ms').and.to.contain('>Jitsu, x86<')
    expect(svg).to.not.contain('>direct build<')
  })
})
