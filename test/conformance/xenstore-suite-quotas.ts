// Conformance: the quotas as the daemons ship them, which bind guests and hardly domain 0. A daemon may allow one more than it says.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { expectCode } from '../support/expect-rejection.js'
import { BASE, itWhere, type StoreBench } from './xenstore-suite.js'

const GUEST = domid(1)

export function describeQuotas(bench: StoreBench): void {
  const { rules } = bench.traits
  describe('quotas', () => {
    let dom0: XenstoreClient
    let guest: XenstoreClient
    beforeEach(async () => {
      await bench.store.introduce!(GUEST)
      dom0 = await bench.open()
      guest = await bench.open(GUEST)
    })

    /** How many of `attempt(0)`, `attempt(1)` … succeed before the first that does not. */
    async function countUntilRefused(attempt: (index: number) => Promise<unknown>, most: number): Promise<number> {
      for (let index = 0; index <= most; index++) {
        try {
          await attempt(index)
        } catch (error) {
          expect(error).to.have.property('code', 'XENSTORE_QUOTA')
          expect(error).to.have.property('hint').that.is.a('string')
          return index
        }
      }
      throw new Error(`${most} and more succeed`)
    }

    it('allow a guest 1,000 nodes, and another after one was removed', async () => {
      const made = await countUntilRefused((index) => guest.write(`data/${index % 30}/${index}`, ''), 1100)
      expect(made).to.be.within(960, 1000)
      const error = await expectCode(guest.mkdir('data/more'), 'XENSTORE_QUOTA')
      expect(error).to.include({ errno: rules.quotaErrno, syscall: 'MKDIR' })
      await guest.remove('data/0')
      await guest.mkdir('data/more')
    })

    it('count nodes made in a transaction', async () => {
      const nodes = await countUntilRefused((index) => guest.write(`data/${index % 30}/${index}`, ''), 1100)
      expect(nodes).to.be.greaterThan(0)
      const run = guest.transaction(async (transaction) => {
        await guest.remove('data/0', { transaction })
        for (let index = 0; index < 100; index++) await guest.write(`data/1/x${index}`, '', { transaction })
      })
      await expectCode(run, 'XENSTORE_QUOTA')
    })

    it(`allow a node 2,048 bytes${rules.nodeCountsAll ? ' with its permissions' : ''}`, async () => {
      await guest.write('data/x', Buffer.alloc(1900))
      await expectCode(guest.write('data/x', Buffer.alloc(rules.nodeCountsAll ? 2040 : 2049)), 'XENSTORE_QUOTA')
      expect(await guest.read('data/x')).to.have.length(1900)
    })

    itWhere(rules.nodeCountsAll, 'count the names of the children in their parent’s size', async () => {
      const name = (index: number) => `a-name-of-exactly-thirty-one-${String(index).padStart(2, '0')}`
      const made = await countUntilRefused((index) => guest.mkdir(`data/${name(index)}`), 100)
      expect(made).to.be.within(60, 64)
      await dom0.mkdir(`/local/domain/1/data/${name(99)}`)
    })

    it(`allow ${rules.watches} watches, and another after one was closed`, async () => {
      const raw = await bench.raw(GUEST)
      let made = 0
      while ((await raw.refusal('WATCH', ['data', `token-${made}`])) === undefined) made++
      expect(made).to.be.oneOf([rules.watches, rules.watches + 1])
      expect(await raw.refusal('WATCH', ['data', 'more'])).to.equal(rules.watchErrno)
      await raw.ask('UNWATCH', ['data', 'token-0'])
      expect(await raw.refusal('WATCH', ['data', 'more'])).to.equal(undefined)
    })

    it('let any number of listeners share one watch', async () => {
      const watches = []
      for (let index = 0; index < 300; index++) watches.push(await guest.watch('data', () => {}))
      for (const watch of watches) await watch.close()
    })

    it('allow 10 transactions at once', async () => {
      const raw = await bench.raw(GUEST)
      let open = 0
      while ((await raw.ask('TRANSACTION_START', [''])).type !== 'ERROR') open++
      expect(open).to.be.oneOf([10, 11])
      expect(await raw.refusal('TRANSACTION_START', [''])).to.equal(rules.quotaErrno)
    })

    it('queue a guest’s 100 transactions rather than refuse them', async () => {
      const add = () =>
        guest.transaction(async (transaction) => {
          const before = await guest.readText('data/n', { transaction }).catch(() => '0')
          await guest.write('data/n', String(Number(before) + 1), { transaction })
        })
      await Promise.all(Array.from({ length: 100 }, add))
      expect(await guest.readText('data/n')).to.equal('100')
    })

    const entriesAllowed = Number.isFinite(rules.permissions) ? rules.permissions : 'any number of'
    it(`allow a permission list ${entriesAllowed} entries`, async () => {
      await guest.mkdir('data/x')
      const entries = [1, 2, 3, 4, 5, 6].map((id) => ({ access: 'r' as const, domid: domid(id) }))
      for (const { domid: id } of entries) await bench.store.introduce!(id)
      await guest.setPermissions('data/x', entries.slice(0, rules.permissions))
      if (rules.permissions < entries.length) {
        await expectCode(guest.setPermissions('data/x', entries), 'XENSTORE_QUOTA')
      }
      await dom0.setPermissions('/local/domain/1/data/x', entries)
    })

    it(`allow a path ${rules.pathBytes} bytes`, async () => {
      const path = (bytes: number) => `data/${'x'.repeat(bytes - 5)}`
      const raw = await bench.raw(GUEST)
      expect(await raw.refusal('READ', [path(rules.pathBytes)])).to.equal('ENOENT')
      expect(await raw.refusal('READ', [path(rules.pathBytes + 1)])).to.equal('EINVAL')
    })

    it('do not bind domain 0', async () => {
      const writes = Array.from({ length: 1500 }, (_, index) =>
        dom0.write(`${BASE}/${index}`, Buffer.alloc(Math.min(rules.valueBytes, 3000))),
      )
      await Promise.all(writes)
      expect(await dom0.directory(BASE)).to.have.length(1500)
      await dom0.remove(BASE)
    })
  })
}
