// Tells systemd that the service is ready, where systemd waits for it (sd_notify(3)). Its socket takes datagrams, which
// Node has no unix sockets for: systemd's own program sends it.
import { spawn } from 'node:child_process'
import type { Diagnostics } from './diagnostics.js'

/** Does nothing where nobody waits. A failure is said: the service manager would end the service for its silence. */
export async function notifyReady(diagnostics: Diagnostics): Promise<void> {
  if (!process.env.NOTIFY_SOCKET) return
  const notifier = spawn('systemd-notify', ['--ready'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const problem = await new Promise<string | undefined>((resolve) => {
    notifier.once('error', (error) => resolve(error.message))
    notifier.once('exit', (status) => resolve(status === 0 ? undefined : `status ${status}`))
  })
  if (problem !== undefined) diagnostics.say(`systemd-notify failed (${problem}): systemd does not know that this runs`)
}
