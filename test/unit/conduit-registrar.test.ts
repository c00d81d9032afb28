// The registrar over the embedded store, where a test has the events in its hands. What it holds to on any store is in
// test/conformance/registrar-suite.ts.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { ENTRIES_PER_CLIENT } from '../../src/conduit/name-directory.js'
import { Registrar } from '../../src/conduit/registrar.js'
import { ConduitError } from '../../src/errors.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { eventually, turns } from '../support/eventually.js'
import { holdUp } from '../support/hold-up.js'
import { StoreWorld } from '../support/store-world.js'

describe('registrar', () => {
  let world: StoreWorld
  beforeEach(async () => {
    world = await StoreWorld.start()
  })
  afterEach(() => world.close())

  it('hears of domains from its owner when it does not watch them', async () => {
    await world.registrar.close()
    world.registrar = await Registrar.start(await world.client(0), { watchDomains: false })
    const guest = await world.guest(3)
    await guest.store.write('/local/domain/3/data/conduit/register/web', '')
    await turns()
    expect(await guest.read('/conduit/web')).to.equal(undefined)
    await world.registrar.domainIntroduced(domid(3))
    await eventually(() => guest.read('/conduit/web'))
    world.store.domainDied(domid(3))
    await world.registrar.domainReleased(domid(3))
    expect(await world.dom0.exists('/conduit/web')).to.equal(false)
  })

  it('counts entries, not connections: one at a time may go on for ever', async () => {
    const [server, client] = [await world.guest(3), await world.guest(7)]
    await server.ask('register', 'web')
    await client.ask('want', 'web')
    for (let i = 0; i < 5 * ENTRIES_PER_CLIENT; i++) {
      const path = `/conduit/web/listen/7/${i.toString(16).padStart(12, '0')}`
      await client.store.write(path, 'x')
      await client.store.remove(path)
    }
    await turns()
    expect(await world.dom0.exists('/conduit/web/listen/7')).to.equal(true)
  })

  it('says so when a store that came back cannot be served again', async () => {
    await world.registrar.close()
    const store = await world.client(0)
    let comeBack: () => void = () => undefined
    store.onReconnect = (listener) => {
      comeBack = listener
      return () => undefined
    }
    let fail: (error: unknown) => void = () => undefined
    const failed = new Promise<unknown>((resolve) => {
      fail = resolve
    })
    world.registrar = await Registrar.start(store, { onFailed: fail })
    store.mkdir = () => Promise.reject(new ConduitError('EACCES', 'the store is closed to this domain'))
    comeBack()
    expect(await failed).to.include({ code: 'EACCES' })
  })

  describe('an answer that comes too late', () => {
    /** Start another registrar, and let `before` happen when its answer to domain 7 about `web` is on its way. */
    async function registrarThatAnswersAfter(before: () => Promise<unknown>): Promise<void> {
      await world.registrar.close()
      const answered = holdUp(world.store.transport(domid(0)), '/local/domain/7/data/conduit/answer/web', before)
      world.registrar = await Registrar.start(await XenstoreClient.open(async () => answered.transport))
      await (await world.guest(3)).ask('register', 'web')
      const client = await world.guest(7)
      await client.store.write('data/conduit/want/web', '')
      await answered.happened
      // Everything the registrar had to do is done once it has answered somebody else.
      await (await world.guest(4)).ask('register', 'mail')
    }

    it('is not written when the request was withdrawn in the meantime', async () => {
      await registrarThatAnswersAfter(() => world.dom0.remove('/local/domain/7/data/conduit/want/web'))
      expect(await world.dom0.exists('/local/domain/7/data/conduit/answer/web')).to.equal(false)
    })

    it('does not bring back the directory of a domain that died in the meantime', async () => {
      await registrarThatAnswersAfter(async () => world.store.domainDied(domid(7)))
      expect(await world.dom0.exists('/local/domain/7')).to.equal(false)
    })
  })

  it('answers others while one domain rewrites its request under every answer', async () => {
    await world.registrar.close()
    let rewritten = 0
    const rewrite = async () => {
      rewritten++
      await world.dom0.write('/local/domain/7/data/conduit/want/web', String(rewritten))
    }
    const answer = '/local/domain/7/data/conduit/answer/web'
    const held = holdUp(world.store.transport(domid(0)), answer, rewrite, Number.POSITIVE_INFINITY)
    world.registrar = await Registrar.start(await XenstoreClient.open(async () => held.transport))
    const [honest, hostile] = [await world.guest(3), await world.guest(7)]
    await hostile.store.write('data/conduit/want/web', '')
    await held.happened
    expect(await honest.ask('register', 'mail')).to.equal('ok')
    expect(rewritten).to.be.below(16)
  })

  it('answers others while one domain floods its mailbox', async () => {
    const [hostile, honest] = [await world.guest(9), await world.guest(3)]
    for (let i = 0; i < 300; i++) {
      const name = i.toString(36).padStart(4, '0')
      await hostile.attempt((store) => store.write(`/local/domain/9/data/conduit/want/x${name}`, ''))
    }
    expect(await honest.ask('register', 'web')).to.equal('ok')
  })
})
