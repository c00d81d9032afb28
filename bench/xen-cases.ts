// What is measured on real Xen: libxenvchan and the SDK, each with itself and with the other, between dom0 and a guest.

export type Side = 'C' | 'SDK'

export interface XenCase {
  readonly kind: 'throughput' | 'round-trip'
  /** Where the server runs, which writes or echoes; the client is in the other domain. */
  readonly serves: 'guest' | 'dom0'
  readonly server: Side
  readonly client: Side
  readonly chunkBytes: number
}

export interface XenSample {
  /** Index into {@link XEN_CASES}. */
  readonly at: number
  /** Bytes a second, or microseconds of the median round trip. */
  readonly value: number
}

export const RING_BYTES = 65_536
const PAIRS: readonly (readonly [Side, Side])[] = [
  ['C', 'C'],
  ['SDK', 'C'],
  ['C', 'SDK'],
  ['SDK', 'SDK'],
]

const casesOf = (kind: XenCase['kind'], serves: XenCase['serves'], chunks: readonly number[]): XenCase[] =>
  chunks.flatMap((chunkBytes) => PAIRS.map(([server, client]) => ({ kind, serves, server, client, chunkBytes })))

export const XEN_CASES: readonly XenCase[] = [
  ...casesOf('throughput', 'guest', [16_384, 65_536]),
  ...casesOf('throughput', 'dom0', [16_384, 65_536]),
  ...casesOf('round-trip', 'guest', [1, 64]),
]
