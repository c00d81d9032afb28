// That a store has one registrar, and how one finds out whether any runs.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { Registrar } from '../../src/conduit/registrar.js'
import { registrarAnswers } from '../../src/conduit/registrar-probe.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { EventLog } from '../support/event-log.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import type { RegistrarWorld } from '../support/registrar-world.js'

const MARK = '/conduit/host-id/registrar'

export function describeClaim(world: () => RegistrarWorld): void {
  describe('as the only one', () => {
    let taken: EventLog
    const options = { onTakenOver: (error: Error) => taken.listener(error.message) }
    beforeEach(async () => {
      taken = new EventLog()
      await world().restart(options)
    })

    it('refuses to start beside another, which goes on', async () => {
      const error = await expectCode(Registrar.start(await world().client(0), options), 'EADDRINUSE')
      expect(error.message).to.contain(`process ${process.pid}`)
      expect(await (await world().guest(3)).ask('register', 'web')).to.equal('ok')
      expect(taken.events).to.deep.equal([])
    })

    it('is one of two that start at once', async () => {
      await world().registrar.close()
      const starts = [await world().client(0), await world().client(0)].map((store) => Registrar.start(store, options))
      const outcomes = await Promise.allSettled(starts)
      const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      expect(started).to.have.length(1)
      world().registrar = started[0]!
      const refused = outcomes.find((outcome) => outcome.status === 'rejected')
      expect(refused).to.have.nested.property('reason.code', 'EADDRINUSE')
    })

    it('leaves no mark when it is closed, so that the next one need not ask', async () => {
      expect(await world().dom0.exists(MARK)).to.equal(true)
      await world().registrar.close()
      expect(await world().dom0.exists(MARK)).to.equal(false)
    })

    it('starts over the mark of one that was killed, once that has not answered', async () => {
      await world().registrar.close()
      const killed = await XenstoreClient.open(world().daemon.connect(domid(0)))
      await Registrar.start(killed, options)
      await killed.close()
      expect(await world().dom0.exists(MARK)).to.equal(true)
      const clock = new ManualClock()
      const starting = Registrar.start(await world().client(0), { ...options, clock })
      await eventually(() => clock.waiting > 0)
      clock.advance(2000)
      world().registrar = await starting
      expect(await (await world().guest(3)).ask('register', 'web')).to.equal('ok')
    })

    it('says so when another has taken over all the same, and takes nothing from it', async () => {
      await world().dom0.write(MARK, '77 another')
      await taken.until(() => taken.events.length > 0)
      expect(taken.events[0]).to.contain('process 77')
      await world().registrar.close()
      expect(await world().dom0.readText(MARK)).to.equal('77 another')
    })

    it('takes a claim that is no registrar’s for what it is: guests cannot make one', async () => {
      const guest = await world().guest(9)
      expect(await guest.attempt((store) => store.write(MARK, '1 mine'))).to.equal('EACCES')
      expect(await guest.attempt((store) => store.remove(MARK))).to.equal('EACCES')
      expect(await guest.ask('register', 'registrar')).to.equal('ok')
    })
  })

  it('answers whoever wants to know whether one runs, and nobody when it does not', async () => {
    const guest = await world().guest(3)
    expect(await registrarAnswers(guest.store, guest.domid)).to.equal(true)
    expect(await registrarAnswers(world().dom0, domid(0))).to.equal(true)
    await world().registrar.close()
    const clock = new ManualClock()
    const asking = registrarAnswers(guest.store, guest.domid, { clock, timeoutMs: 500 })
    await eventually(() => guest.store.exists('data/conduit/want').catch(() => false))
    clock.advance(500)
    expect(await asking).to.equal(false)
    await eventually(async () => (await guest.store.directory('data/conduit/want')).length === 0)
  })
}
