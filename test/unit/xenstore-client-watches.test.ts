// The client's watches against a store in the test's hands: sharing, order, coalescing.
import { expect } from 'chai'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { PENDING_PATHS_MAX } from '../../src/xenstore/watch.js'
import { EventLog } from '../support/event-log.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { ScriptedStore } from '../support/scripted-store.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('xenstore client watches', () => {
  let store: ScriptedStore
  let client: XenstoreClient
  let log: EventLog
  beforeEach(async () => {
    store = new ScriptedStore()
    log = new EventLog()
    client = await XenstoreClient.open(async () => store, { reconnect: false })
  })
  afterEach(() => client.close())

  /** Watch with the shared log; the store accepts and sends the first event. */
  async function watched(path: string) {
    const adding = client.watch(path, log.listener)
    const { strings } = await store.serve('WATCH')
    const token = strings[1]!
    store.event(path, token)
    const watch = await adding
    await log.seen(path)
    return { watch, token }
  }

  it('share one registration, and each listener gets a first event', async () => {
    await watched('/a')
    const second = new EventLog()
    await client.watch('/a', second.listener)
    await second.seen('/a')
    expect(store.seen).to.deep.equal([])
    expect(log.events).to.deep.equal(['/a'])
  })

  it('share a registration that is under way', async () => {
    const second = new EventLog()
    const adding = [client.watch('/a', log.listener), client.watch('/a', second.listener)]
    const { strings } = await store.serve('WATCH')
    await Promise.all(adding)
    store.event('/a', strings[1]!)
    await Promise.all([log.seen('/a'), second.seen('/a')])
    expect(store.seen).to.deep.equal([])
  })

  it('unregister with the last listener', async () => {
    const { watch, token } = await watched('/a')
    const other = await client.watch('/a', () => {})
    await watch.close()
    expect(store.seen).to.deep.equal([])
    const closing = other.close()
    expect((await store.serve('UNWATCH')).strings).to.deep.equal(['/a', token])
    await closing
    await other.close()
    expect(store.seen).to.deep.equal([])
  })

  it('drop events that were under way when they were closed, also into a new watch on the same path', async () => {
    const { watch, token } = await watched('/a')
    void watch.close()
    await store.serve('UNWATCH')
    const second = new EventLog()
    const adding = client.watch('/a', second.listener)
    const { strings } = await store.serve('WATCH')
    await adding
    expect(strings[1]).to.not.equal(token)
    store.event('/a/late', token)
    store.event('/a', strings[1]!)
    await second.seen('/a')
    expect(second.events).to.deep.equal(['/a'])
    expect(log.events).to.deep.equal(['/a'])
  })

  it('give the watch to the caller before the first event', async () => {
    let watch: unknown
    let known: boolean | undefined
    const adding = client.watch('/a', () => {
      known = watch !== undefined
    })
    const { strings } = await store.serve('WATCH')
    store.event('/a', strings[1]!)
    watch = await adding
    await turn()
    expect(known).to.equal(true)
  })

  it('report equal events of one turn once', async () => {
    const { token } = await watched('/a')
    for (let count = 0; count < 5; count++) store.event('/a/x', token)
    await turn()
    expect(log.events).to.deep.equal(['/a', '/a/x'])
  })

  it('fold too many events into the path of the watch', async () => {
    const { token } = await watched('/a')
    log.clear()
    for (let count = 0; count <= PENDING_PATHS_MAX + 10; count++) store.event(`/a/${count}`, token)
    await turn()
    expect(log.events).to.deep.equal(['/a'])
    store.event('/a/after', token)
    await turn()
    expect(log.events).to.deep.equal(['/a', '/a/after'])
  })

  it('stop at once when a listener closes them', async () => {
    const events: string[] = []
    const adding = client.watch('/a', (path) => {
      events.push(path)
      void watch.close()
    })
    const { strings } = await store.serve('WATCH')
    const watch = await adding
    store.event('/a/1', strings[1]!)
    store.event('/a/2', strings[1]!)
    await turn()
    expect(events).to.deep.equal(['/a/1'])
  })

  it('are not set when the store refuses, and can be tried again', async () => {
    const adding = client.watch('/a', log.listener)
    store.refuse(await store.next('WATCH'), 'E2BIG')
    expect((await expectCode(adding, 'XENSTORE_QUOTA')).syscall).to.equal('WATCH')
    await watched('/a')
  })

  it('end with their signal, before they are set and after', async () => {
    const abort = new AbortController()
    const adding = client.watch('/a', log.listener, { signal: abort.signal })
    const request = await store.next('WATCH')
    abort.abort(new Error('enough'))
    expect(await rejectionOf(adding)).to.have.property('message', 'enough')
    store.reply(request)
    await store.serve('UNWATCH')
    const later = new AbortController()
    const second = client.watch('/b', log.listener, { signal: later.signal })
    await store.serve('WATCH')
    await second
    later.abort()
    await store.serve('UNWATCH')
    expect(log.events).to.deep.equal([])
  })

  it('pass the depth on', async () => {
    const adding = client.watch('/a', log.listener, { depth: 1 })
    expect((await store.serve('WATCH')).strings[2]).to.equal('1')
    await adding
  })

  it('as iteration: take their signal', async () => {
    const abort = new AbortController()
    const first = client.watches('/a', { signal: abort.signal })[Symbol.asyncIterator]().next()
    const { strings } = await store.serve('WATCH')
    const waiting = rejectionOf(first)
    abort.abort(new Error('enough'))
    expect(await waiting).to.have.property('message', 'enough')
    expect((await store.next('UNWATCH')).strings[1]).to.equal(strings[1])
  })

  it('as iteration: end when the client is closed, throw when the connection is lost for good', async () => {
    const ended = client.watches('/a')[Symbol.asyncIterator]().next()
    await store.serve('WATCH')
    await turn()
    await client.close()
    expect(await ended).to.deep.equal({ value: undefined, done: true })

    const second = new ScriptedStore()
    const losing = await XenstoreClient.open(async () => second, { reconnect: false })
    const lost = losing.watches('/a')[Symbol.asyncIterator]().next()
    await second.serve('WATCH')
    await turn()
    second.drop()
    await expectCode(lost, 'XENSTORE_DISCONNECTED')
  })
})
