// Whether a registrar serves a domain's mailbox: the one way to know is to ask it something.
import { randomBytes } from 'node:crypto'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import { type Clock, systemClock } from './clock.js'
import { startDeadline } from './deadline.js'
import { Mailbox } from './mailbox.js'

/** A registrar that is busy answers in milliseconds, on a slow machine with many guests in some hundred. */
const ANSWER_TIMEOUT_MS = 2000

export interface ProbeOptions {
  readonly clock?: Clock
  readonly timeoutMs?: number
}

/**
 * Ask to be let in to a name that nobody has; any answer is a registrar's. Leaves nothing in the store.
 * @param own whose mailbox: `store` is that domain's connection
 * @throws ConduitError what the store says when even the question cannot be written
 */
export async function registrarAnswers(
  store: XenstoreClient,
  own: Domid,
  { clock = systemClock, timeoutMs = ANSWER_TIMEOUT_MS }: ProbeOptions = {},
): Promise<boolean> {
  const silence = new ConduitError('ETIMEDOUT', 'no registrar answers')
  const mailbox = new Mailbox(store, () => own)
  const limit = startDeadline(clock, { timeoutMs, onTimeout: () => silence })
  try {
    await mailbox.ask('want', `probe-${randomBytes(6).toString('hex')}`, limit.signal)
    return true
  } catch (error) {
    if (error === silence) return false
    // The registrar's own word has no system call behind it.
    if (isConduitError(error) && error.syscall === undefined && error.code !== 'XENSTORE_DISCONNECTED') return true
    throw error
  } finally {
    limit.clear()
    await mailbox.close()
  }
}
