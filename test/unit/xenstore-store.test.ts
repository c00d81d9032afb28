// What is the embedded store's own: bounded memory for clients that do not read, domains, quotas and features on the wire.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { XenstoreFrames } from '../../protocol/xenstore-frames.js'
import { formatPermission } from '../../protocol/xenstore-permissions.js'
import { decodeStrings, encodeStrings, encodeXenstoreMessage, XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { WAITING_EVENTS_MAX } from '../../src/xenstore/store/outbox.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import type { StoreConnection } from '../../src/xenstore/store/store-connection.js'
import { EventLog } from '../support/event-log.js'
import { expectCode } from '../support/expect-rejection.js'

/** A client that takes bytes, or says that it does not. */
class Reader {
  takes = true
  readonly frames = new XenstoreFrames()
  connection!: StoreConnection

  readonly peer = {
    send: (bytes: Uint8Array): boolean => {
      this.frames.push(new Uint8Array(bytes))
      return this.takes
    },
    close: () => {},
  }

  ask(type: keyof typeof XENSTORE_TYPES, ...strings: string[]): void {
    const payload = encodeStrings(strings)
    const bytes = encodeXenstoreMessage({ type: XENSTORE_TYPES[type], requestId: 1, transactionId: 0, payload })
    this.connection.receive(bytes)
  }

  /** First strings of the messages that came since the last call. */
  taken(): (string | undefined)[] {
    const first = []
    for (let next = this.frames.next(); next !== undefined; next = this.frames.next()) {
      first.push(decodeStrings(next.payload).strings[0])
    }
    return first
  }
}

describe('embedded xenstore', () => {
  let store: EmbeddedStore
  let dom0: XenstoreClient
  beforeEach(async () => {
    store = new EmbeddedStore()
    dom0 = await XenstoreClient.open(async () => store.transport(domid(0)))
  })
  afterEach(async () => {
    await dom0.close()
    expect(store.connections).to.equal(0)
  })

  describe('with a client that does not read', () => {
    let reader: Reader
    let writer: Reader
    beforeEach(() => {
      reader = new Reader()
      reader.connection = store.connect(domid(0), reader.peer)
      writer = new Reader()
      writer.connection = store.connect(domid(0), writer.peer)
    })
    afterEach(() => {
      reader.connection.close()
      writer.connection.close()
    })

    it('serves no more of its requests until it reads again', () => {
      reader.takes = false
      for (let count = 0; count < 5; count++) reader.ask('GET_DOMAIN_PATH', String(count))
      expect(reader.taken()).to.deep.equal(['/local/domain/0'])
      expect(reader.connection.blocked).to.equal(true)
      reader.takes = true
      reader.connection.drained()
      expect(reader.taken()).to.deep.equal([1, 2, 3, 4].map((id) => `/local/domain/${id}`))
    })

    it('keeps an event once, however often it happens', () => {
      reader.ask('WATCH', '/a', 'token')
      reader.takes = false
      reader.ask('GET_DOMAIN_PATH', '0')
      reader.taken()
      for (let count = 0; count < 1000; count++) writer.ask('WRITE', '/a/x')
      expect(reader.connection.outbox.waitingEvents).to.equal(1)
      reader.takes = true
      reader.connection.drained()
      expect(reader.taken()).to.deep.equal(['/a/x'])
    })

    it('folds too many events into one for each watch', () => {
      reader.ask('WATCH', '/a', 'token')
      reader.ask('WATCH', '/a/b', 'other')
      reader.takes = false
      reader.ask('GET_DOMAIN_PATH', '0')
      reader.taken()
      for (let count = 0; count < WAITING_EVENTS_MAX * 3; count++) writer.ask('MKDIR', `/a/${count}`)
      writer.ask('MKDIR', '/a/b')
      expect(reader.connection.outbox.waitingEvents).to.be.at.most(2)
      reader.takes = true
      reader.connection.drained()
      expect(reader.taken()).to.have.members(['/a', '/a/b'])
      writer.ask('MKDIR', '/a/after')
      expect(reader.taken()).to.deep.equal(['/a/after'])
    })

    it('sends no waiting event of a watch that ends meanwhile', () => {
      reader.ask('WATCH', '/a', 'token')
      reader.takes = false
      reader.ask('GET_DOMAIN_PATH', '0')
      writer.ask('MKDIR', '/a/x')
      reader.connection.reset()
      reader.taken()
      expect(reader.connection.outbox.waitingEvents).to.equal(0)
      reader.takes = true
      reader.connection.drained()
      expect(reader.taken()).to.deep.equal([])
    })
  })

  it('serves a peer that answers from within send', () => {
    const frames = new XenstoreFrames()
    let rounds = 0
    const ask = (): Buffer =>
      encodeXenstoreMessage({ type: 10, requestId: 1, transactionId: 0, payload: encodeStrings([String(rounds)]) })
    const connection = store.connect(domid(0), {
      send: (bytes) => {
        frames.push(new Uint8Array(bytes))
        if (++rounds < 5000) connection.receive(ask())
      },
      close: () => {},
    })
    connection.receive(ask())
    expect(rounds).to.equal(5000)
    connection.close()
  })

  it('makes the nodes that a toolstack would', async () => {
    store.introduceDomain(domid(4))
    const permissions = async (path: string) => (await dom0.getPermissions(path)).map(formatPermission)
    expect(await permissions('/local/domain/4')).to.deep.equal(['n0', 'r4'])
    expect(await permissions('/local/domain/4/domid')).to.deep.equal(['n0', 'r4'])
    expect(await permissions('/local/domain/4/data')).to.deep.equal(['n4'])
    expect(await dom0.readText('/local/domain/4/domid')).to.equal('4')
  })

  it('says once that a domain was introduced', async () => {
    const log = new EventLog()
    await dom0.watch('@introduceDomain', log.listener)
    await log.seen('@introduceDomain')
    store.introduceDomain(domid(4))
    store.introduceDomain(domid(4))
    await dom0.watch('/fence', log.listener)
    await log.seen('/fence')
    expect(log.events).to.deep.equal(['@introduceDomain', '@introduceDomain', '/fence'])
  })

  it('tells which domain died, to who asks with depth 1 or for that domain', async () => {
    const log = new EventLog()
    for (const id of [4, 5]) store.introduceDomain(domid(id))
    await dom0.watch('@releaseDomain', (path) => log.listener(`any ${path}`), { depth: 1 })
    await dom0.watch('@releaseDomain/5', (path) => log.listener(`five ${path}`))
    await log.until(() => log.events.length === 2)
    log.clear()
    store.domainDied(domid(4))
    store.domainDied(domid(5))
    await log.until(() => log.events.length === 3)
    expect(log.events).to.have.members(['any @releaseDomain/4', 'any @releaseDomain/5', 'five @releaseDomain/5'])
  })

  it('gives domain 0 what cannot be removed of a dead domain', async () => {
    store.introduceDomain(domid(4))
    await dom0.setPermissions('/', [{ access: 'r', domid: domid(4) }])
    store.domainDied(domid(4))
    expect((await dom0.getPermissions('/')).map(formatPermission)).to.deep.equal(['r0'])
    expect(store.nodesOwnedBy(domid(4))).to.equal(0)
  })

  it('gives back what a connection used when it ends', async () => {
    const guests = []
    store.introduceDomain(domid(4))
    for (let round = 0; round < 3; round++) {
      const guest = new Reader()
      guest.connection = store.connect(domid(4), guest.peer)
      for (let count = 0; count < 128; count++) guest.ask('WATCH', 'data', String(count))
      for (let count = 0; count < 10; count++) guest.ask('TRANSACTION_START', '')
      expect(guest.taken()).to.not.include('E2BIG').and.not.include('ENOSPC')
      guest.ask('WATCH', 'data', 'more')
      guest.ask('TRANSACTION_START', '')
      expect(guest.taken()).to.deep.equal(['E2BIG', 'ENOSPC'])
      guest.connection.close()
      guests.push(guest)
    }
  })

  it('takes quotas at its making and over the wire', async () => {
    const small = new EmbeddedStore({ quotas: { nodes: 20 } })
    small.introduceDomain(domid(4))
    const admin = await XenstoreClient.open(async () => small.transport(domid(0)))
    const guest = await XenstoreClient.open(async () => small.transport(domid(4)))
    const fill = async () => {
      for (let count = 0; count < 30; count++) await guest.mkdir(`data/${count}`)
    }
    await expectCode(fill(), 'XENSTORE_QUOTA')
    expect(small.nodesOwnedBy(domid(4))).to.equal(20)
    expect(await admin.getQuotaNames()).to.include('nodes')
    expect(await admin.getQuota('nodes', domid(4))).to.equal(20)
    await admin.setQuota('nodes', 0, domid(4))
    await fill()
    await admin.setQuota('nodes', 5)
    expect(await admin.getQuota('nodes')).to.equal(5)
    await expectCode(admin.getQuota('none'), 'EINVAL')
    await expectCode(guest.getQuota('nodes'), 'EACCES')
    await admin.close()
    await guest.close()
  })

  it('bounds the nodes that one transaction of a guest touches', async () => {
    const small = new EmbeddedStore({ quotas: { transactionNodes: 10 } })
    small.introduceDomain(domid(4))
    const guest = await XenstoreClient.open(async () => small.transport(domid(4)))
    const run = guest.transaction(async (transaction) => {
      for (let count = 0; count < 30; count++) await guest.mkdir(`data/${count}`, { transaction })
    })
    await expectCode(run, 'XENSTORE_QUOTA')
    expect(small.nodesOwnedBy(domid(4))).to.equal(1)
    await guest.close()
  })

  it('has features, which are fixed once the domain is introduced', async () => {
    expect(await dom0.getFeature()).to.equal(4)
    await dom0.setFeature(domid(4), 0)
    store.introduceDomain(domid(4))
    expect(await dom0.getFeature(domid(4))).to.equal(0)
    expect((await expectCode(dom0.setFeature(domid(4), 4), 'XENSTORE_ERROR')).errno).to.equal('EBUSY')
    await expectCode(dom0.setFeature(domid(5), 8), 'EINVAL')
  })

  it('answers harmless control commands', async () => {
    expect(await dom0.control('print', 'hello')).to.equal('OK')
    expect(await dom0.control('help')).to.include('check')
    await expectCode(dom0.control('live-update'), 'EINVAL')
  })

  it('introduces and releases domains over the wire', async () => {
    await dom0.introduce(domid(6), 1, 1)
    expect(await dom0.isDomainIntroduced(domid(6))).to.equal(true)
    await dom0.write('/d', '')
    await dom0.setPermissions('/d', [{ access: 'n', domid: domid(6) }])
    await dom0.resume(domid(6))
    await dom0.release(domid(6))
    expect(await dom0.isDomainIntroduced(domid(6))).to.equal(false)
    expect(await dom0.exists('/d')).to.equal(false)
    await expectCode(dom0.release(domid(6)), 'ENOENT')
    await expectCode(dom0.release(domid(0)), 'EINVAL')
  })

  it('keeps a transaction’s view of a directory that grows meanwhile', async () => {
    await dom0.mkdir('/d/a')
    const seen = await dom0
      .transaction(
        async (transaction) => {
          const before = await dom0.directory('/d', { transaction })
          await dom0.mkdir('/d/b')
          const after = await dom0.directory('/d', { transaction })
          throw Object.assign(new Error('seen'), { lists: [before, after] })
        },
        { attempts: 1 },
      )
      .catch((error: { lists: string[][] }) => error.lists)
    expect(seen).to.deep.equal([['a'], ['a']])
    expect(await dom0.directory('/d')).to.deep.equal(['a', 'b'])
  })
})
