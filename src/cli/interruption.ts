// SIGINT, SIGTERM and SIGHUP as an AbortSignal. The first asks for a clean end; a second one does not wait for it.
import { Interrupted, signalStatus } from './exit-status.js'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Install the handlers; they stay until the process ends. The signal's reason is an {@link Interrupted}.
 * @param signals those that end the process; all three by default
 */
export function catchInterruption(signals: readonly NodeJS.Signals[] = SIGNALS): AbortSignal {
  const controller = new AbortController()
  for (const name of signals) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(signalStatus(name))
      controller.abort(new Interrupted(name))
    })
  }
  return controller.signal
}
