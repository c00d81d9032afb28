// The spread of a few measurements, by nearest rank: every number shown was measured.

export interface Percentiles {
  readonly min: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** @throws RangeError when there is nothing to choose from. */
export function percentiles(samples: readonly number[]): Percentiles {
  if (samples.length === 0) throw new RangeError('no samples')
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
  return { min: at(0), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}
