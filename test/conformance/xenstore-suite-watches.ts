// Conformance: watches as domain 0. That an event does not come is seen by waiting for a later one.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { EventLog } from '../support/event-log.js'
import { BASE, itWhere, type StoreBench, UNKNOWN_TRANSACTION } from './xenstore-suite.js'

export function describeWatches(bench: StoreBench): void {
  describe('watches', () => {
    let store: XenstoreClient
    let other: XenstoreClient
    let log: EventLog
    beforeEach(async () => {
      log = new EventLog()
      store = await bench.open()
      other = await bench.open()
      await store.mkdir(`${BASE}/w`)
    })
    afterEach(() => other.remove(BASE))

    /** Watch and wait for the first event. */
    async function watched(path: string): Promise<void> {
      await store.watch(path, log.listener)
      await log.seen(path)
      log.clear()
    }

    /** Resolves when every event that was caused before has come. */
    async function fence(): Promise<void> {
      const fenceLog = new EventLog()
      const watch = await store.watch(`${BASE}/fence`, fenceLog.listener)
      await fenceLog.seen(`${BASE}/fence`)
      await watch.close()
    }

    it('fire once when they are set, also where nothing is', async () => {
      await store.watch(`${BASE}/not-there`, log.listener)
      await log.seen(`${BASE}/not-there`)
      await fence()
      expect(log.events).to.deep.equal([`${BASE}/not-there`])
    })

    it('hear of a node that is made, written, given permissions and removed', async () => {
      await watched(`${BASE}/w/x`)
      for (const change of [
        () => other.mkdir(`${BASE}/w/x`),
        () => other.write(`${BASE}/w/x`, '1'),
        () => other.setPermissions(`${BASE}/w/x`, [{ access: 'r', domid: domid(0) }]),
        () => other.remove(`${BASE}/w/x`),
      ]) {
        await change()
        await log.seen(`${BASE}/w/x`)
        log.clear()
      }
    })

    it('hear of everything below, with the path that changed', async () => {
      await watched(`${BASE}/w`)
      await other.write(`${BASE}/w/a/b/c`, '1')
      await log.seen(`${BASE}/w/a/b/c`)
    })

    it('hear nothing of neighbours whose names begin alike', async () => {
      await watched(`${BASE}/w`)
      await other.write(`${BASE}/ww`, '1')
      await fence()
      expect(log.events).to.deep.equal([])
    })

    it('hear nothing of a node that is made again', async () => {
      await other.write(`${BASE}/w/x`, '1')
      await watched(`${BASE}/w/x`)
      await other.mkdir(`${BASE}/w/x`)
      await fence()
      expect(log.events).to.deep.equal([])
    })

    it('hear with their own path when an ancestor is removed', async () => {
      await other.write(`${BASE}/w/a/b`, '1')
      await watched(`${BASE}/w/a/b`)
      await other.remove(`${BASE}/w`)
      await log.seen(`${BASE}/w/a/b`)
      await fence()
      expect(log.events).to.deep.equal([`${BASE}/w/a/b`])
    })

    it('hear of a removed subtree by its top alone', async () => {
      await other.write(`${BASE}/w/a/b/c`, '1')
      await watched(`${BASE}/w`)
      await other.remove(`${BASE}/w/a`)
      await fence()
      expect(log.events).to.deep.equal([`${BASE}/w/a`])
    })

    it('hear of a change by their own connection too', async () => {
      await watched(`${BASE}/w`)
      await store.write(`${BASE}/w/mine`, '1')
      await log.seen(`${BASE}/w/mine`)
    })

    it('hear nothing after they were closed', async () => {
      const watch = await store.watch(`${BASE}/w`, log.listener)
      await log.seen(`${BASE}/w`)
      log.clear()
      await watch.close()
      await other.write(`${BASE}/w/x`, '1')
      await fence()
      expect(log.events).to.deep.equal([])
    })

    it('hear of what a transaction changed only when it commits', async () => {
      await watched(`${BASE}/w`)
      await other.transaction(async (transaction) => {
        await other.write(`${BASE}/w/a`, '1', { transaction })
        await other.write(`${BASE}/w/b`, '1', { transaction })
        await fence()
        expect(log.events).to.deep.equal([])
      })
      await log.until(() => log.events.length === 2)
      expect(log.events).to.have.members([`${BASE}/w/a`, `${BASE}/w/b`])
    })

    it('hear nothing of a transaction that was given up', async () => {
      await watched(`${BASE}/w`)
      const giveUp = new Error('given up')
      const body = other.transaction(async (transaction) => {
        await other.write(`${BASE}/w/a`, '1', { transaction })
        throw giveUp
      })
      await body.catch((error) => expect(error).to.equal(giveUp))
      await fence()
      expect(log.events).to.deep.equal([])
    })

    it('are told apart by their tokens, and refuse the same path and token twice', async () => {
      const raw = await bench.raw()
      expect(await raw.refusal('WATCH', [`${BASE}/w`, 'one'])).to.equal(undefined)
      expect(await raw.refusal('WATCH', [`${BASE}/w`, 'two'])).to.equal(undefined)
      expect(await raw.refusal('WATCH', [`${BASE}/w`, 'one'])).to.equal('EEXIST')
      expect(await raw.refusal('UNWATCH', [`${BASE}/w`, 'one'])).to.equal(undefined)
      expect(await raw.refusal('UNWATCH', [`${BASE}/w`, 'one'])).to.equal('ENOENT')
      await raw.ask('WRITE', [`${BASE}/w/x`])
      // A second round trip: the event may follow the reply.
      await raw.ask('READ', [`${BASE}/w`])
      expect(raw.events.filter(([path]) => path === `${BASE}/w/x`)).to.deep.equal([[`${BASE}/w/x`, 'two']])
    })

    it('end, with transactions, on RESET_WATCHES', async () => {
      const raw = await bench.raw()
      await raw.ask('WATCH', [`${BASE}/w`, 'one'])
      const transactionId = Number((await raw.ask('TRANSACTION_START', [''])).strings[0])
      expect(await raw.refusal('RESET_WATCHES', [''])).to.equal(undefined)
      expect(await raw.refusal('UNWATCH', [`${BASE}/w`, 'one'])).to.equal('ENOENT')
      expect(await raw.refusal('TRANSACTION_END', ['T'], { transactionId })).to.be.oneOf(UNKNOWN_TRANSACTION)
    })

    itWhere(bench.traits.rules.xen421, 'count levels where the store can', async () => {
      await store.watch(`${BASE}/w`, log.listener, { depth: 1 })
      await log.seen(`${BASE}/w`)
      log.clear()
      await other.write(`${BASE}/w/a/b`, '1')
      await other.write(`${BASE}/w/c`, '1')
      await log.seen(`${BASE}/w/c`)
      expect(log.events).to.deep.equal([`${BASE}/w/c`])
    })

    it('come as async iteration and end with the loop', async () => {
      const paths: string[] = []
      for await (const path of store.watches(`${BASE}/w`)) {
        paths.push(path)
        if (paths.length === 1) await other.write(`${BASE}/w/x`, '1')
        else break
      }
      expect(paths).to.deep.equal([`${BASE}/w`, `${BASE}/w/x`])
    })
  })
}
