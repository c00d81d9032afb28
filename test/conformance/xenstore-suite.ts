// What any xenstore must do, as one body of tests: for the embedded store, for xenstored, for oxenstored.
// A store says what it can; groups that need more than domain 0 run only where there are guests.
import type { Domid } from '../../protocol/xen.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import type { OpenXenstoreTransport } from '../../src/xenstore/transport.js'
import { RawXenstore } from '../support/raw-xenstore.js'
import type { StoreRules } from './xenstore-rules.js'
import { describeGuests } from './xenstore-suite-guests.js'
import { describeNodes } from './xenstore-suite-nodes.js'
import { describeQuotas } from './xenstore-suite-quotas.js'
import { describeTransactions } from './xenstore-suite-transactions.js'
import { describeWatches } from './xenstore-suite-watches.js'
import { describeWire } from './xenstore-suite-wire.js'

/** A running store. */
export interface StoreUnderTest {
  /** How to connect with `domid`'s rights. */
  connect(domid: Domid): OpenXenstoreTransport
  /** Bring a domain to life as a toolstack does; absent where there is only domain 0. */
  introduce?(domid: Domid): Promise<void> | void
  kill?(domid: Domid): Promise<void> | void
  /** Where domain 0's programs find it; absent where it has no socket. */
  readonly socket?: string
  close(): Promise<void> | void
}

/** A store that the suite is for. */
export interface StoreTraits {
  readonly name: string
  /** Where it differs from the others, and may. */
  readonly rules: StoreRules
  readonly guests: boolean
  start(): Promise<StoreUnderTest> | StoreUnderTest
}

/** A store and the connections a test opened to it. */
export class StoreBench {
  readonly traits: StoreTraits
  #store!: StoreUnderTest
  readonly #clients: { close(): unknown }[] = []

  constructor(traits: StoreTraits) {
    this.traits = traits
  }

  get store(): StoreUnderTest {
    return this.#store
  }

  async start(): Promise<void> {
    this.#store = await this.traits.start()
  }

  async open(domid = 0): Promise<XenstoreClient> {
    const client = await XenstoreClient.open(this.#store.connect(domid as Domid), { reconnect: false })
    this.#clients.push(client)
    return client
  }

  async raw(domid = 0): Promise<RawXenstore> {
    const raw = new RawXenstore(await this.#store.connect(domid as Domid)())
    this.#clients.push(raw)
    return raw
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.close()
    await this.#store.close()
  }
}

/** Where a test on domain 0 may do as it likes. */
export const BASE = '/conduit-conformance'

/** A test of what only some stores do. */
export const itWhere = (holds: boolean, title: string, body: () => Promise<void>): unknown => holds && it(title, body)

/** What C and oxenstored say to a transaction number they never gave. */
export const UNKNOWN_TRANSACTION = ['ENOENT', 'EIO']

export function describeXenstore(traits: StoreTraits): void {
  describe(`xenstore: ${traits.name}`, () => {
    const bench = new StoreBench(traits)
    beforeEach(() => bench.start())
    afterEach(() => bench.stop())
    describeNodes(bench)
    describeWatches(bench)
    describeTransactions(bench)
    describeWire(bench)
    if (!traits.guests) return
    describeGuests(bench)
    describeQuotas(bench)
  })
}
