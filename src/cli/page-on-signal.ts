// SIGUSR1 prints the control pages of this process's open connections on stderr, as dd prints its progress. The handler
// also keeps the signal from starting Node's debugger.
import { controlPageLines } from './control-page-text.js'
import type { Diagnostics } from './diagnostics.js'
import type { Traffic } from './traffic.js'

/** Lines of text, or one JSON object a page. Installed for as long as the process lives. */
export function showPagesOnSignal(traffic: Traffic, diagnostics: Diagnostics, json: boolean): void {
  process.on('SIGUSR1', () => {
    for (const channel of traffic.openChannels()) {
      const page = channel.inspect()
      if (json) diagnostics.line(JSON.stringify({ role: channel.role, peerDomid: channel.peer, controlPage: page }))
      else diagnostics.line(controlPageLines(`the ${channel.role} of domain ${channel.peer}`, page).join('\n'))
    }
  })
}
