// What one measurement is, and what its processes say to each other and to the bench: types only.

export type WorkloadName = 'bulk' | 'round-trip' | 'messages' | 'connect' | 'memory'
export type Transport = 'conduit' | 'unix' | 'tcp'

/** One measurement: a server process, a client process, one number or a few. Plain data, for it crosses processes. */
export interface Job {
  readonly workload: WorkloadName
  readonly transport: Transport
  readonly warmUpMs: number
  /** How long to measure, for workloads that go on. */
  readonly measureMs: number
  /** How often, for workloads that count. */
  readonly repetitions?: number
  /** Conduit only: bytes of each ring. */
  readonly ringBytes?: number
  /** Conduit only: both ends. */
  readonly spinMicros?: number
  readonly writeBytes?: number
  /** Bulk: the client reads into one buffer (`onread`) instead of `data` events. */
  readonly reusesBuffer?: boolean
  /** Round trip: rest between two pings, so that both ends fall asleep; 0 for the next at once. */
  readonly pauseMs?: number
  /** Messages: many at a time both ways, instead of one by one. */
  readonly batched?: boolean
}

/** Numbers by name; the name carries the unit. */
export type Metrics = Readonly<Record<string, number>>

/** From the bench to a process. */
export type Instruction =
  | { readonly kind: 'serve'; readonly job: Job }
  | { readonly kind: 'measure'; readonly job: Job; readonly address: string }
  | { readonly kind: 'heard'; readonly text: string }

/** From a process to the bench. */
export type Report =
  | { readonly kind: 'serving'; readonly address: string }
  | { readonly kind: 'measured'; readonly metrics: Metrics }
  | { readonly kind: 'tell'; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: string }

/** How the two processes of a measurement talk beside what is measured. */
export interface Link {
  tell(text: string): void
  /** The other's next word, in order. */
  heard(): Promise<string>
}

export interface Workload {
  /** Resolves with the address once clients can connect; serves until the process ends. */
  serve(job: Job, link: Link): Promise<string>
  /** @throws Error when bytes are missing: a number for half the work is no number. */
  measure(job: Job, address: string, link: Link): Promise<Metrics>
}
