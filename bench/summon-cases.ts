// What `npm run bench:summon` measures: how long one guest takes to come, by the way in which it is summoned and the memory
// that it gets, and how long many of them take. The paper's figures stand here too, as numbers.

export const GUEST_TYPES = ['pv', 'pvh'] as const
export type GuestType = (typeof GUEST_TYPES)[number]

/** From the slowest to the fastest, as they are expected. */
export const WAYS = ['xl', 'xl-minimum', 'direct', 'direct-ten', 'pool', 'provisioned'] as const
export type Way = (typeof WAYS)[number]

export const WAY_TEXT: Readonly<Record<Way, string>> = {
  xl: 'xl create',
  'xl-minimum': 'xl create, the minimum',
  direct: 'direct build',
  'direct-ten': 'direct, ten at once',
  pool: 'paused pool',
  provisioned: 'provisioned pool',
}

export const MEMORIES_MIB = [4, 16, 64, 256] as const

/** Milliseconds since the summon; what a way does not show is left out. */
export const MOMENTS = ['instruction', 'ready', 'echo', 'http'] as const
export type Moment = (typeof MOMENTS)[number]

export const MOMENT_TEXT: Readonly<Record<Moment, string>> = {
  instruction: 'first instruction',
  ready: 'ready',
  echo: 'first echoed byte',
  http: 'first HTTP byte',
}

/** One guest, as a line of JSON from the machine. */
export interface SummonSample {
  readonly kind: 'summon'
  readonly type: GuestType
  readonly way: Way
  readonly mib: number
  readonly times: Readonly<Partial<Record<Moment, number>>>
  /** What the guest itself took from its first instruction until its keys were queued, in milliseconds of Xen's time. */
  readonly bootMs?: number
}

export const STORES = ['c', 'ocaml'] as const
export type Store = (typeof STORES)[number]

/** Many guests of 4 MiB: until all of them were ready. */
export interface CrowdSample {
  readonly kind: 'crowd'
  readonly store: Store
  readonly how: 'xl' | 'direct'
  readonly order: 'sequence' | 'parallel'
  readonly count: number
  readonly seconds: number
}

export type Sample = SummonSample | CrowdSample

/**
 * Jitsu's domain creation on a Cubieboard2 (ARM), by memory, before and after its authors' work on the toolstack, and with that on
 * x86: read off a figure of the paper (NSDI 2015); in milliseconds.
 */
export const PAPER_CREATION: readonly { readonly text: string; readonly byMib: Readonly<Record<number, number>> }[] = [
  { text: 'Xen 4.4.0, ARM', byMib: { 16: 653, 32: 667, 64: 724, 128: 837, 256: 974 } },
  { text: 'Jitsu, ARM', byMib: { 16: 123, 32: 161, 64: 218, 128: 312, 256: 464 } },
  { text: 'Jitsu, x86', byMib: { 16: 19, 32: 24, 64: 24, 128: 33, 256: 43 } },
]

/** Seconds for so many domains in parallel on Xen 4.4, read off another figure of it. */
export const PAPER_CROWDS: readonly { readonly text: string; readonly byCount: Readonly<Record<number, number>> }[] = [
  { text: 'C xenstored 4.4', byCount: { 50: 61, 200: 1340 } },
  { text: 'oxenstored 4.4', byCount: { 50: 14, 200: 225 } },
  { text: "Jitsu's xenstored", byCount: { 200: 102 } },
]
