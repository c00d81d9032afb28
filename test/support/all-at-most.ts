// Runs a task many times, so many at once; the first failure is the result's.

/** `task(0)` to `task(count - 1)`, at most `inFlight` at a time. */
export async function allAtMost(
  inFlight: number,
  count: number,
  task: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane))
}
