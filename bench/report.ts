// Results as people read them: tables in Markdown, charts in SVG. Pure.
import { aims } from './aims.js'
import { type Bar, barChart } from './bar-chart.js'
import type { WorkloadName } from './job.js'
import { type Metric, SECTIONS } from './metric.js'
import { BASELINE } from './plan.js'
import { threeDigits } from './quantity.js'
import type { GroupResult, Results, SubjectResult } from './results.js'
import { type Column, markdownTable } from './table.js'

/** The whole report in Markdown. */
export function tables(results: Results): string {
  const { machine, runs, groups } = results
  const workloads = [...new Set(groups.map(({ workload }) => workload))]
  const parts = [
    `Medians of ${runs} ${runs === 1 ? 'run' : 'runs'}, two processes each, peers in turn in the same run.${results.quick ? ' Quick: not to be quoted.' : ''}`,
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel} (${machine.architecture}), Node ${machine.node}, ${machine.date.slice(0, 10)}.`,
    ...workloads.map((workload) => section(workload, groups)),
    aimsTable(groups),
    failures(groups),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/** SVG texts by file name, as far as there is something to draw. */
export function charts(results: Results): Map<string, string> {
  const drawn: [string, WorkloadName, string, string, string][] = [
    ['throughput.svg', 'bulk', 'bytesPerSecond', 'Throughput by write size', 'bytes per second, more is better'],
    ['round-trip.svg', 'round-trip', 'p50Micros', 'Round trip of 64 bytes', 'p50, less is better'],
    ['messages.svg', 'messages', 'messagesPerSecond', 'Messages of 64 bytes', 'per second, more is better'],
  ]
  const all = drawn.map(([file, workload, key, title, unit]) => {
    const metric = SECTIONS[workload].metrics.find((each) => each.key === key)!
    const groups = results.groups
      .filter((group) => group.workload === workload)
      .map((group) => ({ title: group.title, bars: group.subjects.flatMap((subject) => bar(subject, metric)) }))
      .filter(({ bars }) => bars.length > 0)
    const { machine, runs } = results
    const subtitle = `${unit}; median, line: least to most of ${runs}; ${machine.cores} cores, Node ${machine.node}`
    return [file, groups.length === 0 ? '' : barChart({ title, subtitle, groups })] as const
  })
  return new Map(all.filter(([, text]) => text !== ''))
}

function section(workload: WorkloadName, groups: readonly GroupResult[]): string {
  const { title, note, metrics } = SECTIONS[workload]
  const columns: Column[] = [
    { title: 'case', numeric: false },
    { title: 'through', numeric: false },
    ...metrics.flatMap((metric) =>
      [metric.title, 'least – most', ...(metric.relative ? ['× unix'] : [])].map((text) => ({
        title: text,
        numeric: true,
      })),
    ),
  ]
  const rows = groups
    .filter((group) => group.workload === workload)
    .flatMap((group) => group.subjects.map((subject) => row(group, subject, metrics)))
  return `## ${title}\n\n${note}\n\n${markdownTable(columns, rows)}`
}

function row(group: GroupResult, subject: SubjectResult, metrics: readonly Metric[]): string[] {
  const baseline = group.subjects.find(({ label }) => label === BASELINE)
  const cells = metrics.flatMap(({ key, show, relative }) => {
    const result = subject.metrics[key]
    if (result === undefined) return ['failed', '', ...(relative ? [''] : [])]
    const base = baseline?.metrics[key]?.median
    const ratio = base === undefined || base === 0 ? '' : threeDigits(result.median / base)
    return [show(result.median), `${show(result.min)} – ${show(result.max)}`, ...(relative ? [ratio] : [])]
  })
  return [group.title, subject.label, ...cells]
}

function aimsTable(groups: readonly GroupResult[]): string {
  const rows = aims(groups).map(({ text, wanted, measured, met }) => [text, wanted, measured, met ? 'met' : 'missed'])
  if (rows.length === 0) return ''
  const columns = ['aim', 'wanted', 'measured', ''].map((title, i) => ({ title, numeric: i === 1 || i === 2 }))
  return `## Aims\n\n${markdownTable(columns, rows)}`
}

function failures(groups: readonly GroupResult[]): string {
  const lines = groups.flatMap((group) =>
    group.subjects.flatMap(({ label, failures }) =>
      failures.map((reason) => `- ${group.id}, ${label}: ${reason.split('\n')[0]}`),
    ),
  )
  return lines.length === 0 ? '' : `## Failures\n\n${lines.join('\n')}`
}

function bar({ label, job, metrics }: SubjectResult, metric: Metric): Bar[] {
  const result = metrics[metric.key]
  if (result === undefined) return []
  const { median, min, max } = result
  return [{ label, value: median, min, max, text: metric.show(median), kind: kindOf(job) }]
}

function kindOf({ transport, ringBytes, spinMicros }: SubjectResult['job']): Bar['kind'] {
  if (transport === 'unix') return 'theirs'
  if (transport === 'tcp') return 'others'
  if (ringBytes !== undefined || (spinMicros ?? 0) > 0) return 'ours-too'
  return spinMicros === 0 ? 'ours-as-well' : 'ours'
}
