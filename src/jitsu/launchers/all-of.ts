// Work that goes on side by side, and is undone as one.

/** All of it to its end, then the first failure: what fails alone must not be cleaned up after while the rest still goes on. */
export async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}
