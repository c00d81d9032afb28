// What the bench plans, gathers and reports; measures nothing.
import { expect } from 'chai'
import { aims } from '../../bench/aims.js'
import { parseArguments, WORKLOADS } from '../../bench/arguments.js'
import type { Metrics } from '../../bench/job.js'
import { SECTIONS } from '../../bench/metric.js'
import { BASELINE, type Group, plan, type Subject } from '../../bench/plan.js'
import { charts, tables } from '../../bench/report.js'
import { Collection, type Results } from '../../bench/results.js'

const machine = {
  cpu: 'A Processor',
  cores: 2,
  memoryBytes: 2 ** 30,
  kernel: '6.1',
  architecture: 'x64',
  node: 'v20',
  v8: '11',
  date: '2026-01-02T03:04:05.678Z',
}

const everything = plan(WORKLOADS, false)

/** Every metric of a subject, each with this value. */
function metricsOf(group: Group, value: number): Metrics {
  return Object.fromEntries(SECTIONS[group.workload].metrics.map(({ key }) => [key, value]))
}

function resultsOf(value: (group: Group, subject: Subject) => number, groups = everything): Results {
  const collection = new Collection()
  for (const group of groups) {
    for (const subject of group.subjects) collection.add(subject, metricsOf(group, value(group, subject)))
  }
  return { machine, runs: 1, quick: false, groups: collection.groups(groups) }
}

const ours = (subject: Subject): boolean => subject.job.transport === 'conduit'

describe('the bench plan', () => {
  it('compares in every group with both of node’s sockets, on the same job', () => {
    for (const { id, subjects } of everything) {
      expect(
        subjects.map(({ job }) => job.transport),
        id,
      ).to.include.members(['conduit', 'unix', 'tcp'])
      expect(
        subjects.map(({ label }) => label),
        id,
      ).to.include(BASELINE)
      const shared = subjects.map(({ job: { transport: _t, ringBytes: _r, spinMicros: _s, ...job } }) => job)
      for (const job of shared) expect(job, id).to.deep.equal(shared[0])
    }
  })

  it('names every group and every subject of a group once', () => {
    const ids = everything.map(({ id }) => id)
    expect(new Set(ids).size).to.equal(ids.length)
    for (const { subjects } of everything)
      expect(new Set(subjects.map(({ label }) => label)).size).to.equal(subjects.length)
  })

  it('measures at least a second when it is to be quoted', () => {
    expect(Math.min(...everything.map(({ subjects }) => subjects[0]!.job.measureMs))).to.be.at.least(1000)
  })

  it('leaves out what was not asked for', () => {
    expect(new Set(plan(['connect', 'bulk'], true).map(({ workload }) => workload))).to.deep.equal(
      new Set(['bulk', 'connect']),
    )
  })
})

describe('the bench command line', () => {
  it('measures everything, seven times, and keeps it', () => {
    expect(parseArguments([], '/results')).to.deep.equal({ runs: 7, only: WORKLOADS, quick: false, out: '/results' })
  })

  it('keeps no part of the whole unless told where', () => {
    expect(parseArguments(['--only', 'bulk,connect'], '/results')).to.deep.include({ only: ['bulk', 'connect'] })
    expect(parseArguments(['--only', 'bulk'], '/results').out).to.equal(undefined)
    expect(parseArguments(['--quick'], '/results').out).to.equal(undefined)
    expect(parseArguments(['--quick', '--out', '/tmp/x'], '/results').out).to.equal('/tmp/x')
  })

  it('refuses what it does not know', () => {
    for (const wrong of [['--runs', '0'], ['--runs', 'many'], ['--only', 'bulk,speed'], ['--fast'], ['bulk']]) {
      expect(() => parseArguments(wrong, '/results'), wrong.join(' ')).to.throw(TypeError)
    }
  })
})

describe('the bench report', () => {
  it('has a row for every subject, with its ratio to the unix socket', () => {
    const text = tables(resultsOf((_, subject) => (ours(subject) ? 30e6 : 10e6)))
    const compared = everything.filter(({ workload }) => SECTIONS[workload].metrics.some(({ relative }) => relative))
    const count = compared.reduce((sum, { subjects }) => sum + subjects.length, 0)
    const rows = text.split('\n').filter((line) => /^\| .*\| +(1\.00|3\.00) \|/.test(line))
    expect(rows).to.have.length(count)
    for (const row of rows) expect(row, row).to.include(row.includes('conduit') ? ' 3.00 |' : ' 1.00 |')
  })

  it('gives no ratio where the unix socket is next to nothing', () => {
    const text = tables(resultsOf(() => 2048, plan(['memory'], false)))
    expect(text).to.include('2 KiB').and.not.to.include('× unix')
  })

  it('says which aims are met and which are missed', () => {
    const fast = resultsOf(({ workload }, subject) => {
      if (workload === 'round-trip') return ours(subject) ? 1.5 : 100
      return ours(subject) ? 9e9 : 1e9
    })
    const slow = resultsOf(({ workload }, subject) => (workload === 'round-trip' && ours(subject) ? 200 : 100))
    expect(aims(fast.groups).map(({ met }) => met)).to.deep.equal([true, true, true, true, true])
    expect(aims(slow.groups).map(({ met }) => met)).to.deep.equal([false, false, false, false, false])
    expect(tables(slow).match(/\| missed \|/g)).to.have.length(5)
    expect(tables(fast)).to.match(/9\.00×.*\| met/)
  })

  it('decides no aim on what was not measured', () => {
    expect(aims(resultsOf(() => 1, plan(['memory'], false)).groups)).to.deep.equal([])
    expect(aims([])).to.deep.equal([])
  })

  it('shows what failed instead of hiding it', () => {
    const groups = plan(['connect'], false)
    const [group] = groups as [Group]
    const collection = new Collection()
    for (const subject of group.subjects) {
      if (ours(subject)) collection.fail(subject, 'the server left with SIGSEGV\n    at somewhere')
      else collection.add(subject, metricsOf(group, 5))
    }
    const results = { machine, runs: 1, quick: false, groups: collection.groups(groups) }
    expect(collection.failed).to.equal(true)
    expect(tables(results))
      .to.include('- connect, conduit: the server left with SIGSEGV')
      .and.not.to.include('somewhere')
    expect(tables(results)).to.match(/\| conduit +\| +failed \|/)
    expect(charts(results).size).to.equal(0)
  })

  it('takes medians over the runs and keeps every sample', () => {
    const groups = plan(['memory'], false)
    const [group] = groups as [Group]
    const collection = new Collection()
    for (const value of [30, 10, 20]) collection.add(group.subjects[0]!, metricsOf(group, value))
    const metric = collection.groups(groups)[0]!.subjects[0]!.metrics.rssBytesPerChannel
    expect(metric).to.deep.equal({ median: 20, min: 10, max: 30, runs: 3, samples: [30, 10, 20] })
  })

  it('names the machine’s kind, the runtime and the day', () => {
    const text = tables(resultsOf(() => 1))
    for (const fact of ['A Processor', '2 cores', '6.1', 'v20', '2026-01-02']) expect(text).to.include(fact)
  })

  it('draws throughput, round trips and messages', () => {
    const drawn = charts(resultsOf(() => 1))
    expect([...drawn.keys()]).to.deep.equal(['throughput.svg', 'round-trip.svg', 'messages.svg'])
    for (const { workload, title } of everything) {
      if (workload === 'bulk') expect(drawn.get('throughput.svg')).to.include(title)
    }
  })
})
