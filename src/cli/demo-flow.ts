// The demo's look at its own flow while it is open. It holds the listener for a moment (SIGSTOP), so that what is shown
// is a connection in mid-transfer: the client runs on until its ring is full, and waits.
import { FLOWS_ROOT } from '../../protocol/conduit.js'
import { ringBytes } from '../../protocol/vchan-page.js'
import { ConduitError } from '../index.js'
import type { XenstoreClient } from '../xenstore/client.js'
import { controlPageLines } from './control-page-text.js'
import type { Say } from './demo.js'
import type { DemoProcess } from './demo-process.js'
import { listingLines } from './ls.js'
import { openLocalStore, readView, type StoreView } from './store-view.js'
import type { ControlPage } from './traffic.js'

const INDENT = '   '
const MILLIS_PER_SECOND = 1000
/** Moved before the flow is looked at; less than the smallest file of the demo. */
const SOME_BYTES = 512 * 1024

export class FlowLook {
  readonly #store: XenstoreClient

  private constructor(store: XenstoreClient) {
    this.#store = store
    store.ref()
  }

  /** @throws ConduitError SUBSTRATE_LOST when no local hypervisor serves the directory */
  static async open(runtimeDir: string): Promise<FlowLook> {
    const store = await openLocalStore(runtimeDir)
    if (store === undefined) throw new ConduitError('SUBSTRATE_LOST', `demo: no local hypervisor in ${runtimeDir}`)
    return new FlowLook(store)
  }

  /** Show the first flow that opens; resolves with the seconds for which the listener was held. */
  async show({ listener, client }: { listener: DemoProcess; client: DemoProcess }, say: Say): Promise<number> {
    const view = await Promise.race([this.#firstFlow(), client.ended])
    if (view === undefined) return 0
    await pageWhere(client, ({ left }) => left.prod > SOME_BYTES)
    const startMs = performance.now()
    listener.kill('SIGSTOP')
    const shown = await pageWhere(client, ({ left }) => left.used === ringBytes(left.order))
    listener.kill('SIGCONT')
    const heldMs = performance.now() - startMs
    await say(`${INDENT}names and flows while it runs, as conduit-cat ls shows them:`)
    for (const line of listingLines(view)) await say(`${INDENT}  ${line}`)
    if (shown !== undefined) await showPage(shown, say)
    return heldMs / MILLIS_PER_SECOND
  }

  #firstFlow(): Promise<StoreView> {
    return new Promise((resolve, reject) => {
      const look = async (): Promise<void> => {
        const view = await readView(this.#store)
        if (view.flows.length > 0) resolve(view)
      }
      this.#store.watch(FLOWS_ROOT, () => void look().catch(reject)).catch(reject)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store.unref()
    await this.#store.close()
  }
}

interface ShownPage {
  readonly peerDomid: number
  readonly controlPage: ControlPage
}

/** Ask the client for its page until it is as wanted; the last one when the client ends first. */
async function pageWhere(client: DemoProcess, wanted: (page: ControlPage) => boolean): Promise<ShownPage | undefined> {
  let shown: ShownPage | undefined
  for (;;) {
    const answer = client.nextLine((line) => line.includes('"controlPage"'))
    client.kill('SIGUSR1')
    const line = await answer
    if (line === undefined) return shown
    shown = JSON.parse(line) as ShownPage
    if (wanted(shown.controlPage)) return shown
  }
}

async function showPage({ peerDomid, controlPage }: ShownPage, say: Say): Promise<void> {
  await say('')
  const title = `that flow, its listener held for a moment (server: domain ${peerDomid})`
  for (const text of controlPageLines(title, controlPage)) await say(`${INDENT}  ${text}`)
}
