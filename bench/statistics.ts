// Order statistics of a handful of runs and of many samples. Nothing here assumes a distribution.

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly runs: number
}

/** By nearest rank, so the result is always one of the samples. @throws RangeError without samples, or beyond 0…1 */
export function quantile(samples: ArrayLike<number>, share: number): number {
  if (samples.length === 0) throw new RangeError('no samples')
  if (!(share >= 0 && share <= 1)) throw new RangeError(`a share is 0 to 1, not ${share}`)
  const sorted = Float64Array.from(samples).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}

/** The middle sample, or the mean of the two in the middle. @throws RangeError without samples */
export function median(samples: ArrayLike<number>): number {
  if (samples.length === 0) throw new RangeError('no samples')
  const sorted = Float64Array.from(samples).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** @throws RangeError without samples */
export function summarize(samples: readonly number[]): Summary {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), runs: samples.length }
}
