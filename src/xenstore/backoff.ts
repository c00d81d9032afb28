// How long to wait before trying again. Waits for nothing itself.

/** A pause before attempt `attempt` (from 0): doubles up to `longestMs`, of which a random half to whole is taken. */
export function backoffMs(attempt: number, firstMs: number, longestMs: number, random: () => number): number {
  const fullMs = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 30))
  return fullMs * (0.5 + random() / 2)
}
