// The substrate that a program gets in a domain of any kind, without being told: which, as whom, with what store, and what
// the doctor says of it.
import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { domid } from '../../../../protocol/xen.js'
import { xenChecks } from '../../../../src/cli/doctor-xen.js'
import type { ConduitError } from '../../../../src/errors.js'
import { openSubstrate, selectBackend } from '../../../../src/substrate/select.js'
import type { Substrate } from '../../../../src/substrate/substrate.js'
import { GRANT_LIMIT_PATH } from '../../../../src/substrate/xen/granted-pages.js'
import { XenstoreClient } from '../../../../src/xenstore/client.js'
import { grantedPages, mappedXenPages } from '../../../support/xen-leftovers.js'
import { here } from '../../../support/xen-machine.js'

const STRANGER = domid(0x7000)

describe('a program in this domain', () => {
  let substrate: Substrate
  before(async () => {
    substrate = await openSubstrate()
  })
  after(() => substrate.close())

  it('is on Xen by itself, as the domain that the store says', async () => {
    expect([selectBackend(''), substrate.kind]).to.deep.equal(['xen', 'xen'])
    expect(String(substrate.domid)).to.equal((await here.run('xenstore-read domid')).output.trim())
  })

  it('reaches the store: what it writes it reads and is told of, whatever the size', async () => {
    const store = await XenstoreClient.open(() => substrate.xenstore())
    const path = `/local/domain/${substrate.domid}/data/conduit-test`
    const text = 'x'.repeat(2000)
    const told = new Promise<void>((resolve) => {
      void store.watch(path, async () => {
        if ((await store.readText(path).catch(() => '')) === text) resolve()
      })
    })
    await store.write(path, text)
    await told
    const many = await Promise.all(Array.from({ length: 15 }, () => store.readText(path)))
    expect(new Set(many)).to.deep.equal(new Set([text]))
    await store.remove(path)
    await store.close()
  })

  it('hears of gntalloc’s limit with what it holds, and the hint raises it', async () => {
    const limit = readFileSync(GRANT_LIMIT_PATH, 'utf8')
    writeFileSync(GRANT_LIMIT_PATH, '40')
    try {
      const share = await substrate.share(STRANGER, 33)
      expect(substrate.grantBudget).to.deep.equal({ limit: 40, held: 33 })
      const error = (await substrate.share(STRANGER, 33).catch((failure: unknown) => failure)) as ConduitError
      expect(error).to.include({ code: 'GRANT_LIMIT', errno: 'ENOSPC' })
      expect(error.message).to.include('limit of 40').and.include(`33 to domain ${STRANGER}`)
      writeFileSync(GRANT_LIMIT_PATH, '80')
      const another = await substrate.share(STRANGER, 33)
      for (const pages of [share, another]) pages.close()
    } finally {
      writeFileSync(GRANT_LIMIT_PATH, limit)
    }
    expect([mappedXenPages(), grantedPages()]).to.deep.equal([0, 0])
  })

  it('is well, says the doctor, until gntalloc is full', async () => {
    const states = async () => (await xenChecks(true)).map(({ name, state }) => `${name} ${state}`)
    const well = ['xen', '/dev/xen/evtchn', '/dev/xen/gntdev', '/dev/xen/gntalloc', 'xenstore', 'grants']
    expect(await states()).to.deep.equal(well.map((name) => `${name} ok`))
    const limit = readFileSync(GRANT_LIMIT_PATH, 'utf8')
    writeFileSync(GRANT_LIMIT_PATH, '0')
    try {
      expect(await states()).to.include('grants fail')
    } finally {
      writeFileSync(GRANT_LIMIT_PATH, limit)
    }
  })
})
