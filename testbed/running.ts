// The commands of a run until they have ended, and the status that follows from theirs.
import type { OutputRelay } from './output-relay.js'

export interface Running {
  readonly process: { wait(): Promise<{ readonly status: number }> }
  readonly relay: OutputRelay
}

export async function ended({ process, relay }: Running): Promise<number> {
  const { status } = await process.wait()
  relay.flush()
  return status
}

/** Of two that run at the same time: with `until` that one's, else dom0's or, where that is 0, the guest's. */
export async function statusOfTwo(
  two: { readonly dom0: Running; readonly domu: Running },
  until: 'dom0' | 'domu' | undefined,
): Promise<number> {
  if (until === undefined) {
    const [ofDom0, ofGuest] = await Promise.all([ended(two.dom0), ended(two.domu)])
    return ofDom0 === 0 ? ofGuest : ofDom0
  }
  const status = await ended(two[until])
  // The other is killed with its machine, perhaps in the middle of a line.
  two[until === 'dom0' ? 'domu' : 'dom0'].relay.flush()
  return status
}
