// The part of bench/xen.ts that runs in dom0: makes a guest, runs the cases, prints each sample as a line of JSON.
import { parseArgs } from 'node:util'
import { RemoteVchanPeer } from '../test/support/xen-interop-world.js'
import { Guest, here } from '../test/support/xen-machine.js'
import { RING_BYTES, type Side, XEN_CASES, type XenCase, type XenSample } from './xen-cases.js'

/** Minutes of V8's compiler in the emulator, were it less: the first quarter warms up, for both, and is not timed. */
const THROUGHPUT_BYTES = 256 << 20
/** Likewise the first tenth. */
const ROUND_TRIPS = 10_000

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' } } })
const guest = await Guest.create({ type: 'pv' })
let lastPort = 0

/** The program of one side, in one domain. */
function start(domain: 'guest' | 'dom0', side: Side, args: readonly string[]): RemoteVchanPeer {
  const program =
    side === 'C'
      ? 'vchan-peer'
      : `CONDUIT_BACKEND=xen node ${new URL('./libxenvchan-sdk.js', import.meta.url).pathname}`
  const command = [program, ...args].join(' ')
  return new RemoteVchanPeer(domain === 'guest' ? guest.spawn(command) : here.spawn(command))
}

async function measure(each: XenCase): Promise<number> {
  const [server, client] = each.serves === 'guest' ? (['guest', 'dom0'] as const) : (['dom0', 'guest'] as const)
  const domids = { guest: String(guest.domid), dom0: '0' }
  const bulk = each.kind === 'throughput'
  const count = String(bulk ? THROUGHPUT_BYTES : ROUND_TRIPS)
  lastPort += 1
  const port = `b${lastPort}`
  const chunk = ['--chunk', String(each.chunkBytes)]
  const serving = start(server, each.server, [
    ...['server', domids[client], port, ...(bulk ? ['send', count] : ['echo'])],
    ...['--ring', String(RING_BYTES), '--finish', 'drain', ...chunk],
  ])
  await serving.line('listening')
  const asking = start(client, each.client, [
    ...['client', domids[server], port, bulk ? 'receive' : 'ping', count, '--blind', ...chunk],
  ])
  try {
    const done = await asking.line('done')
    if (bulk && Number(done.bytes) !== THROUGHPUT_BYTES) throw new Error(`${done.bytes} bytes came`)
    return bulk ? Number(done.timed) / Number(done.seconds) : Number(done.p50_us)
  } finally {
    for (const peer of [serving, asking]) peer.kill()
    await Promise.all([serving.exit, asking.exit])
  }
}

for (let run = 1; run <= Number(values.runs); run++) {
  // In the opposite order every other time: what ran before favours nobody.
  const order = XEN_CASES.map((_, at) => at)
  for (const at of run % 2 === 1 ? order : order.reverse()) {
    const sample: XenSample = { at, value: await measure(XEN_CASES[at]!) }
    process.stdout.write(`${JSON.stringify(sample)}\n`)
  }
}
await guest.destroy()
