// The xenstore suite on the live daemon of dom0, with a hypervisor below it. What only guests can show runs on the same two
// daemons without Xen, and with real guests in guests.test.ts.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unixSocketTransport } from '../../../src/xenstore/unix-socket-transport.js'
import { STORE_SOCKET } from '../../../testbed/guest.js'
import { OXENSTORED, XENSTORED } from '../../conformance/xenstore-rules.js'
import { BASE, describeXenstore } from '../../conformance/xenstore-suite.js'
import { openStore } from '../../support/xen-machine.js'

const RUNNING = runningPrograms()
const name = RUNNING.has('oxenstored') ? 'oxenstored' : 'xenstored'

describeXenstore({
  rules: name === 'oxenstored' ? OXENSTORED : XENSTORED,
  name: `${name}, live`,
  guests: false,
  start: () => ({
    connect: () => unixSocketTransport(STORE_SOCKET),
    close: async () => {
      const store = await openStore()
      await store.remove(BASE)
      await store.close()
    },
  }),
})

/** Names of all processes (proc(5), comm). */
function runningPrograms(): Set<string> {
  const numbers = readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry))
  return new Set(numbers.map(programOf))
}

function programOf(number: string): string {
  try {
    return readFileSync(join('/proc', number, 'comm'), 'utf8').trim()
  } catch {
    // It has just ended.
    return ''
  }
}
