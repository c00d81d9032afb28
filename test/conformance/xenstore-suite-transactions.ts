// Conformance: transactions as domain 0.
import { expect } from 'chai'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { expectCode } from '../support/expect-rejection.js'
import { BASE, itWhere, type StoreBench, UNKNOWN_TRANSACTION } from './xenstore-suite.js'

export function describeTransactions(bench: StoreBench): void {
  const { rules } = bench.traits
  describe('transactions', () => {
    let store: XenstoreClient
    let other: XenstoreClient
    beforeEach(async () => {
      store = await bench.open()
      other = await bench.open()
      await store.write(`${BASE}/n`, '0')
      await store.mkdir(`${BASE}/d`)
    })
    afterEach(() => store.remove(BASE))

    it('show their writes to themselves at once, to others after the commit', async () => {
      await store.transaction(async (transaction) => {
        await store.write(`${BASE}/d/x`, '1', { transaction })
        expect(await store.readText(`${BASE}/d/x`, { transaction })).to.equal('1')
        expect(await store.directory(`${BASE}/d`, { transaction })).to.deep.equal(['x'])
        expect(await other.exists(`${BASE}/d/x`)).to.equal(false)
        expect(await other.directory(`${BASE}/d`)).to.deep.equal([])
      })
      expect(await other.readText(`${BASE}/d/x`)).to.equal('1')
      expect(await other.directory(`${BASE}/d`)).to.deep.equal(['x'])
    })

    it('remove too', async () => {
      await store.write(`${BASE}/d/a/b`, '1')
      await store.transaction(async (transaction) => {
        await store.remove(`${BASE}/d/a`, { transaction })
        expect(await store.exists(`${BASE}/d/a/b`, { transaction })).to.equal(false)
        expect(await other.exists(`${BASE}/d/a/b`)).to.equal(true)
      })
      expect(await other.exists(`${BASE}/d/a`)).to.equal(false)
      expect(await other.exists(`${BASE}/d/a/b`)).to.equal(false)
    })

    it('leave no trace of a node made and removed inside', async () => {
      await store.transaction(async (transaction) => {
        await store.write(`${BASE}/d/a/b`, '1', { transaction })
        await store.remove(`${BASE}/d/a`, { transaction })
      })
      expect(await other.directory(`${BASE}/d`)).to.deep.equal([])
    })

    it('leave nothing when the body throws, which the caller then gets', async () => {
      const giveUp = new Error('given up')
      const run = store.transaction(async (transaction) => {
        await store.write(`${BASE}/n`, '1', { transaction })
        throw giveUp
      })
      expect(await run.catch((error) => error)).to.equal(giveUp)
      expect(await store.readText(`${BASE}/n`)).to.equal('0')
    })

    it('see a node unchanged once they have read it', async () => {
      let outside = 0
      const read = await store.transaction(async (transaction) => {
        const before = await store.readText(`${BASE}/n`, { transaction })
        if (outside === 0) await other.write(`${BASE}/n`, String(++outside))
        return [before, await store.readText(`${BASE}/n`, { transaction })]
      })
      expect(read[0]).to.equal(read[1])
    })

    it('run again when a node they read and wrote was changed', async () => {
      let runs = 0
      await store.transaction(async (transaction) => {
        const before = Number(await store.readText(`${BASE}/n`, { transaction }))
        if (runs++ === 0) await other.write(`${BASE}/n`, '10')
        await store.write(`${BASE}/n`, String(before + 1), { transaction })
      })
      expect(runs).to.equal(2)
      expect(await store.readText(`${BASE}/n`)).to.equal('11')
    })

    /** How often the body runs when `interfere` happens in its first run. */
    async function runsWith(body: string, interfere: () => Promise<void>): Promise<number> {
      let runs = 0
      await store.transaction(async (transaction) => {
        await store.read(body, { transaction }).catch(() => {})
        await store.write(`${BASE}/d/mine`, '1', { transaction })
        if (runs++ === 0) await interfere()
      })
      return runs
    }

    it('run again when a node they read was removed', async () => {
      expect(await runsWith(`${BASE}/n`, () => other.remove(`${BASE}/n`))).to.equal(2)
    })

    it('run again when a node they only read was changed', async () => {
      expect(await runsWith(`${BASE}/n`, () => other.write(`${BASE}/n`, '1'))).to.equal(2)
    })

    itWhere(rules.strictConflicts, 'run again when a node they found missing was made', async () => {
      expect(await runsWith(`${BASE}/new`, () => other.write(`${BASE}/new`, '1'))).to.equal(2)
    })

    itWhere(
      rules.strictConflicts,
      'run again when a node they read was removed and made again with the same value',
      async () => {
        const interfere = async () => {
          await other.remove(`${BASE}/n`)
          await other.write(`${BASE}/n`, '0')
        }
        expect(await runsWith(`${BASE}/n`, interfere)).to.equal(2)
      },
    )

    it('run once when only others’ nodes were changed', async () => {
      await store.mkdir(`${BASE}/elsewhere/deep`)
      expect(await runsWith(`${BASE}/n`, () => other.write(`${BASE}/elsewhere/deep/x`, '1'))).to.equal(1)
    })

    it('give up after as many attempts as they were given', async () => {
      let runs = 0
      const run = store.transaction(
        async (transaction) => {
          await store.read(`${BASE}/n`, { transaction })
          await other.write(`${BASE}/n`, String(++runs))
          await store.write(`${BASE}/d/x`, '1', { transaction })
        },
        { attempts: 3 },
      )
      await expectCode(run, 'XENSTORE_CONFLICT')
      expect(runs).to.equal(3)
    })

    it('count to 100 when 100 at once add one', async () => {
      const add = () =>
        store.transaction(async (transaction) => {
          const before = Number(await store.readText(`${BASE}/n`, { transaction }))
          await store.write(`${BASE}/n`, String(before + 1), { transaction })
        })
      await Promise.all(Array.from({ length: 100 }, add))
      expect(await store.readText(`${BASE}/n`)).to.equal('100')
    })

    it('are unknown by another connection, after their end, and inside each other', async () => {
      const raw = await bench.raw()
      const stranger = await bench.raw()
      const transactionId = Number((await raw.ask('TRANSACTION_START', [''])).strings[0])
      expect(transactionId).to.be.greaterThan(0)
      expect(await stranger.refusal('READ', [`${BASE}/n`], { transactionId })).to.be.oneOf(UNKNOWN_TRANSACTION)
      expect(await raw.refusal('TRANSACTION_START', [''], { transactionId })).to.equal('EBUSY')
      expect(await raw.refusal('TRANSACTION_END', ['F'], { transactionId })).to.equal(undefined)
      expect(await raw.refusal('TRANSACTION_END', ['F'], { transactionId })).to.be.oneOf(UNKNOWN_TRANSACTION)
      expect(await raw.refusal('TRANSACTION_END', ['T'])).to.be.oneOf(UNKNOWN_TRANSACTION)
    })

    it('end with the connection', async () => {
      const raw = await bench.raw()
      const transactionId = Number((await raw.ask('TRANSACTION_START', [''])).strings[0])
      await raw.ask('WRITE', [`${BASE}/gone`], { transactionId })
      raw.close()
      expect(await store.exists(`${BASE}/gone`)).to.equal(false)
    })
  })
}
