// The client when its store goes away: what rejects, when it tries again, what it does before others may go on.
import { expect } from 'chai'
import type { ConduitError } from '../../src/errors.js'
import { XenstoreClient, type XenstoreClientOptions } from '../../src/xenstore/client.js'
import { EventLog } from '../support/event-log.js'
import { expectCode } from '../support/expect-rejection.js'
import { ScriptedStore } from '../support/scripted-store.js'

/** Pauses that last until the test ends them. */
class HeldDelay {
  readonly pausesMs: number[] = []
  readonly log = new EventLog()
  #resume = (): void => {}

  readonly delay: NonNullable<XenstoreClientOptions['delay']> = (delayMs, { signal }) => {
    this.pausesMs.push(delayMs)
    this.log.listener(String(this.pausesMs.length))
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(signal?.reason)
      signal?.addEventListener('abort', giveUp)
      this.#resume = () => {
        signal?.removeEventListener('abort', giveUp)
        resolve(undefined)
      }
    })
  }

  /** Wait until the `count`th pause has begun, then end it. */
  async end(count: number): Promise<void> {
    await this.log.seen(String(count))
    this.#resume()
  }
}

describe('xenstore client reconnecting', () => {
  let stores: ScriptedStore[]
  let held: HeldDelay
  let client: XenstoreClient
  let log: EventLog
  let refusals: number
  beforeEach(async () => {
    stores = []
    refusals = 0
    held = new HeldDelay()
    log = new EventLog()
    const connect = async () => {
      if (refusals-- > 0) throw new Error('refused')
      stores.push(new ScriptedStore())
      log.listener(`connection ${stores.length}`)
      return stores.at(-1)!
    }
    client = await XenstoreClient.open(connect, { delay: held.delay, random: () => 1 })
    client.onReconnect(() => log.listener('reconnected'))
    client.onLost((error: ConduitError) => log.listener(error.code))
  })
  afterEach(() => client.close())

  it('rejects what is in flight, then reports the loss, then rejects at once', async () => {
    const read = client.read('/a').catch((error) => log.listener(`read ${error.code}`))
    stores[0]!.drop(new Error('gone'))
    await read
    await log.seen('XENSTORE_DISCONNECTED')
    await expectCode(client.read('/a'), 'XENSTORE_DISCONNECTED')
  })

  it('is back once the new connection has answered', async () => {
    stores[0]!.drop()
    await held.end(1)
    await log.seen('connection 2')
    await expectCode(client.read('/a'), 'XENSTORE_DISCONNECTED')
    await stores[1]!.serve('GET_DOMAIN_PATH', ['/local/domain/0'])
    await log.seen('reconnected')
    const read = client.readText('/a')
    await stores[1]!.serve('READ', Buffer.from('x'))
    expect(await read).to.equal('x')
  })

  it('registers its watches before it says so, and each fires again', async () => {
    const events = new EventLog()
    const adding = client.watch('/a', events.listener)
    const first = await stores[0]!.serve('WATCH')
    stores[0]!.event('/a', first.strings[1]!)
    await adding
    await events.seen('/a')
    events.clear()
    stores[0]!.drop()
    await held.end(1)
    await log.seen('connection 2')
    const again = await stores[1]!.serve('WATCH')
    expect(log.events).to.not.include('reconnected')
    await stores[1]!.serve('GET_DOMAIN_PATH', ['/local/domain/0'])
    await log.seen('reconnected')
    stores[1]!.event('/a', again.strings[1]!)
    await events.seen('/a')
  })

  it('does not register again what was closed meanwhile', async () => {
    const adding = client.watch('/a', () => {})
    await stores[0]!.serve('WATCH')
    const watch = await adding
    stores[0]!.drop()
    await watch.close()
    await held.end(1)
    await log.seen('connection 2')
    await stores[1]!.serve('GET_DOMAIN_PATH', ['/local/domain/0'])
    await log.seen('reconnected')
    expect(stores[1]!.seen).to.deep.equal([])
  })

  it('waits longer before each attempt, up to two seconds', async () => {
    refusals = 12
    stores[0]!.drop()
    for (let attempt = 1; attempt <= 12; attempt++) await held.end(attempt)
    await held.log.seen('13')
    expect(held.pausesMs.slice(0, 4)).to.deep.equal([10, 20, 40, 80])
    expect(held.pausesMs.at(-1)).to.equal(2000)
  })

  it('takes a store that drops its connections for one that is not there', async () => {
    stores[0]!.drop()
    for (let attempt = 1; attempt <= 3; attempt++) {
      await held.end(attempt)
      await log.seen(`connection ${attempt + 1}`)
      stores[attempt]!.drop()
    }
    await held.log.seen('4')
    expect(held.pausesMs).to.deep.equal([10, 20, 40, 80])
    expect(log.events.filter((event) => event === 'XENSTORE_DISCONNECTED')).to.have.length(1)
  })

  it('tries again when a watch is refused on the new connection', async () => {
    const adding = client.watch('/a', () => {})
    await stores[0]!.serve('WATCH')
    await adding
    stores[0]!.drop()
    await held.end(1)
    await log.seen('connection 2')
    stores[1]!.refuse(await stores[1]!.next('WATCH'), 'E2BIG')
    await held.end(2)
    await log.seen('connection 3')
    await stores[2]!.serve('WATCH')
    await stores[2]!.serve('GET_DOMAIN_PATH', ['/local/domain/0'])
    await log.seen('reconnected')
    expect(stores[1]!.closed).to.equal(true)
  })

  it('stops trying when it is closed', async () => {
    stores[0]!.drop()
    await held.log.seen('1')
    await client.close()
    await expectCode(client.read('/a'), 'XENSTORE_DISCONNECTED')
    expect(stores).to.have.length(1)
  })

  it('does not carry a transaction over', async () => {
    const run = client.transaction(async (transaction) => {
      stores[0]!.drop()
      await held.end(1)
      await log.seen('connection 2')
      await stores[1]!.serve('GET_DOMAIN_PATH', ['/local/domain/0'])
      await log.seen('reconnected')
      await client.write('/a', '1', { transaction })
    })
    await stores[0]!.serve('TRANSACTION_START', ['1'])
    await expectCode(run, 'XENSTORE_DISCONNECTED')
    expect(stores[1]!.seen).to.deep.equal([])
  })
})
