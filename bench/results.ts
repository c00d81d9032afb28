// What came of a plan: samples by group, subject and metric, and why some are missing. This is the JSON that is kept.
import type { Job, Metrics, WorkloadName } from './job.js'
import type { Machine } from './machine.js'
import type { Group, Subject } from './plan.js'
import { type Summary, summarize } from './statistics.js'

export interface MetricResult extends Summary {
  readonly samples: readonly number[]
}

export interface SubjectResult {
  readonly label: string
  readonly job: Job
  readonly metrics: Readonly<Record<string, MetricResult>>
  readonly failures: readonly string[]
}

export interface GroupResult {
  readonly id: string
  readonly workload: WorkloadName
  readonly title: string
  readonly subjects: readonly SubjectResult[]
}

export interface Results {
  readonly machine: Machine
  readonly runs: number
  readonly quick: boolean
  readonly groups: readonly GroupResult[]
}

/** Gathers what the runs bring, in whatever order they bring it. */
export class Collection {
  readonly #samples = new Map<Subject, Map<string, number[]>>()
  readonly #failures = new Map<Subject, string[]>()

  add(subject: Subject, metrics: Metrics): void {
    const byMetric = this.#samples.get(subject) ?? new Map<string, number[]>()
    this.#samples.set(subject, byMetric)
    for (const [name, value] of Object.entries(metrics)) byMetric.set(name, [...(byMetric.get(name) ?? []), value])
  }

  fail(subject: Subject, reason: string): void {
    this.#failures.set(subject, [...(this.#failures.get(subject) ?? []), reason])
  }

  get failed(): boolean {
    return this.#failures.size > 0
  }

  groups(plan: readonly Group[]): GroupResult[] {
    return plan.map((group) => ({ ...group, subjects: group.subjects.map((subject) => this.#subject(subject)) }))
  }

  #subject(subject: Subject): SubjectResult {
    const byMetric = [...(this.#samples.get(subject) ?? [])]
    const metrics = byMetric.map(([name, samples]) => [name, { ...summarize(samples), samples }] as const)
    return { ...subject, metrics: Object.fromEntries(metrics), failures: this.#failures.get(subject) ?? [] }
  }
}
