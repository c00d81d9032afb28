// The client's transactions against a store in the test's hands: how many, how often, with what pauses.
import { expect } from 'chai'
import { XenstoreClient, type XenstoreTransaction } from '../../src/xenstore/client.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { ScriptedStore } from '../support/scripted-store.js'

describe('xenstore client transactions', () => {
  let store: ScriptedStore
  let client: XenstoreClient
  let pausesMs: number[]
  beforeEach(async () => {
    store = new ScriptedStore()
    pausesMs = []
    const delay = async (delayMs: number) => {
      pausesMs.push(delayMs)
    }
    client = await XenstoreClient.open(async () => store, { reconnect: false, delay, random: () => 0 })
  })
  afterEach(() => client.close())

  it('carry their number in each request and end with T', async () => {
    const run = client.transaction(async (transaction) => client.readText('/a', { transaction }))
    await store.serve('TRANSACTION_START', ['7'])
    expect((await store.serve('READ', Buffer.from('x'))).transactionId).to.equal(7)
    const end = await store.serve('TRANSACTION_END')
    expect(end).to.deep.include({ transactionId: 7, strings: ['T'] })
    expect(await run).to.equal('x')
  })

  it('wait their turn beyond eight at once', async () => {
    const runs = Array.from({ length: 20 }, () => client.transaction(async () => {}))
    const starts = []
    for (let count = 0; count < 8; count++) starts.push(await store.next('TRANSACTION_START'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(store.seen).to.deep.equal([])
    for (let count = 8; count < 28; count++) {
      store.reply(starts.shift()!, [String(count)])
      await store.serve('TRANSACTION_END')
      // The slot that came free goes to the next in line.
      if (count < 20) starts.push(await store.next('TRANSACTION_START'))
    }
    await Promise.all(runs)
  })

  it('run again with growing pauses, each at least half of its full length', async () => {
    const run = client.transaction(async () => {}, { attempts: 4 })
    for (let attempt = 1; attempt <= 4; attempt++) {
      await store.serve('TRANSACTION_START', [String(attempt)])
      store.refuse(await store.next('TRANSACTION_END'), 'EAGAIN')
    }
    await expectCode(run, 'XENSTORE_CONFLICT')
    expect(pausesMs).to.deep.equal([0.5, 1, 2])
  })

  it('wait when the store has none left', async () => {
    const run = client.transaction(async () => 'done')
    store.refuse(await store.next('TRANSACTION_START'), 'ENOSPC')
    await store.serve('TRANSACTION_START', ['1'])
    await store.serve('TRANSACTION_END')
    expect(await run).to.equal('done')
    expect(pausesMs).to.have.length(1)
  })

  it('do not run again for another reason', async () => {
    const run = client.transaction(async () => {})
    await store.serve('TRANSACTION_START', ['1'])
    store.refuse(await store.next('TRANSACTION_END'), 'ENOSPC')
    expect((await expectCode(run, 'XENSTORE_QUOTA')).syscall).to.equal('TRANSACTION_END')
    expect(pausesMs).to.deep.equal([])
  })

  it('end with F when the body throws, and cannot be used afterwards', async () => {
    let kept: XenstoreTransaction | undefined
    const mistake = new Error('mistake')
    const run = client.transaction(async (transaction) => {
      kept = transaction
      throw mistake
    })
    await store.serve('TRANSACTION_START', ['1'])
    expect((await store.serve('TRANSACTION_END')).strings).to.deep.equal(['F'])
    expect(await rejectionOf(run)).to.equal(mistake)
    expect(await rejectionOf(client.read('/a', { transaction: kept! }))).to.be.instanceOf(TypeError)
  })

  it('end with F when the signal is aborted while the body runs', async () => {
    const abort = new AbortController()
    const run = client.transaction(async () => abort.abort(new Error('enough')), { signal: abort.signal })
    await store.serve('TRANSACTION_START', ['1'])
    expect((await store.serve('TRANSACTION_END')).strings).to.deep.equal(['F'])
    expect(await rejectionOf(run)).to.have.property('message', 'enough')
  })

  it('give up waiting for their turn with the signal', async () => {
    const busy = Array.from({ length: 8 }, () => client.transaction(async () => {}).catch(() => {}))
    const abort = new AbortController()
    const waiting = client.transaction(async () => {}, { signal: abort.signal })
    abort.abort(new Error('enough'))
    expect(await rejectionOf(waiting)).to.have.property('message', 'enough')
    await client.close()
    await Promise.all(busy)
  })

  it('take attempts that are no positive integer for a mistake', async () => {
    expect(await rejectionOf(client.transaction(async () => {}, { attempts: 0 }))).to.be.instanceOf(RangeError)
  })
})
