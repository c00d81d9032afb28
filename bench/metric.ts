// What each workload's numbers are called and how they are shown.
import type { WorkloadName } from './job.js'
import { bytes, duration, scaled } from './quantity.js'

export interface Metric {
  /** As the workload names it. */
  readonly key: string
  readonly title: string
  readonly show: (value: number) => string
  /** Whether a ratio to the unix socket says something: not where that is next to nothing. */
  readonly relative: boolean
}

export interface Section {
  readonly title: string
  readonly note: string
  readonly metrics: readonly Metric[]
}

export const SECTIONS: Readonly<Record<WorkloadName, Section>> = {
  bulk: {
    title: 'Bulk throughput',
    note: 'One direction, the server writes, waiting for `drain`. More is better.',
    metrics: [{ key: 'bytesPerSecond', title: 'bytes/s', show: (value) => scaled(value, 'B/s'), relative: true }],
  },
  'round-trip': {
    title: 'Round trip of 64 bytes',
    note: 'Through the stream API at both ends. Less is better.',
    metrics: [
      { key: 'p50Micros', title: 'p50', show: duration, relative: true },
      { key: 'p99Micros', title: 'p99', show: duration, relative: true },
    ],
  },
  messages: {
    title: 'Messages of 64 bytes',
    note: 'One direction; on sockets with the same length prefix in plain JavaScript. More is better.',
    metrics: [{ key: 'messagesPerSecond', title: 'messages/s', show: (value) => scaled(value, '/s'), relative: true }],
  },
  connect: {
    title: 'Connecting',
    note: "Medians of sequential connects: until `connect` is done, until the server's first byte is there, and the first connect of a process. The kernel accepts for a sleeping server, so only the first byte compares like with like. Less is better.",
    metrics: [
      { key: 'connectMicros', title: 'connect', show: duration, relative: true },
      { key: 'greetedMicros', title: 'first byte', show: duration, relative: true },
      { key: 'firstMicros', title: 'first of a process', show: duration, relative: true },
    ],
  },
  memory: {
    title: 'Memory per idle connection',
    note: 'Both processes together, after garbage collection. RSS counts a shared page in each process, PSS once. Less is better.',
    metrics: [
      { key: 'rssBytesPerChannel', title: 'RSS', show: bytes, relative: false },
      { key: 'pssBytesPerChannel', title: 'PSS', show: bytes, relative: false },
    ],
  },
}
