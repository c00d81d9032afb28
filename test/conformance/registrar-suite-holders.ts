// Which of a domain's processes holds a name, on any xenstore: the registrar knows domains, its processes agree among themselves.
import { expect } from 'chai'
import { Mailbox } from '../../src/conduit/mailbox.js'
import type { ConduitError } from '../../src/errors.js'
import { expectCode } from '../support/expect-rejection.js'
import { MarkedProcess } from '../support/marked-process.js'
import type { RegistrarWorld } from '../support/registrar-world.js'
import type { StoreGuest } from '../support/store-guest.js'

const REQUEST = 'data/conduit/register/web'

export function describeHolders(world: () => RegistrarWorld): void {
  describe('a name among the processes of one domain', () => {
    let guest: StoreGuest
    let mailboxes: Mailbox[]
    const { signal } = new AbortController()

    beforeEach(async () => {
      guest = await world().guest(7)
      mailboxes = []
    })
    afterEach(() => Promise.all(mailboxes.map((mailbox) => mailbox.close())))

    /** As a process of its own has it, over a connection of its own. */
    const mailbox = async (): Promise<Mailbox> => {
      const made = new Mailbox(await world().client(guest.domid), () => guest.domid)
      mailboxes.push(made)
      return made
    }
    const marks = () => guest.store.directory(REQUEST)
    const holder = () => world().dom0.readText('/conduit/web')

    it('is refused to the second, who takes nothing away when it leaves', async () => {
      const [first, second] = [await mailbox(), await mailbox()]
      await first.ask('register', 'web', signal)
      const [mark] = await marks()
      const error = (await expectCode(second.ask('register', 'web', signal), 'EADDRINUSE')) as ConduitError
      expect(error.message).to.contain(`process ${process.pid} of this domain`)
      await second.withdraw('register', 'web')
      await second.close()
      await world().settled()
      expect(await marks()).to.deep.equal([mark])
      expect(await holder()).to.equal('7')
      await first.withdraw('register', 'web')
      await (await mailbox()).ask('register', 'web', signal)
    })

    it('is one’s alone when many ask at once', async () => {
      const asking = await Promise.all(Array.from({ length: 6 }, mailbox))
      const outcomes = await Promise.allSettled(asking.map((each) => each.ask('register', 'web', signal)))
      const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : []))
      expect(failures).to.deep.equal(Array(5).fill('EADDRINUSE'))
      expect(await marks()).to.have.length(1)
    })

    it('is taken over from one that was killed, and only then', async () => {
      const other = new MarkedProcess()
      await guest.store.write(`${REQUEST}/${other.mark}`, '')
      await guest.ask('register', 'web')
      const heir = await mailbox()
      const error = (await expectCode(heir.ask('register', 'web', signal), 'EADDRINUSE')) as ConduitError
      expect(error.message).to.contain(`process ${other.pid} of this domain`)
      await other.kill()
      await heir.ask('register', 'web', signal)
      expect(await marks())
        .to.have.length(1)
        .and.not.include(other.mark)
      expect(await holder()).to.equal('7')
      await heir.withdraw('register', 'web')
      await world().settled()
      expect(await world().dom0.exists('/conduit/web')).to.equal(false)
    })

    it('is left to who took it over, when the former holder leaves after all', async () => {
      const [former, heir] = [await mailbox(), await mailbox()]
      await former.ask('register', 'web', signal)
      const [mark] = await marks()
      await guest.store.remove(`${REQUEST}/${mark}`)
      const dead = new MarkedProcess()
      await guest.store.write(`${REQUEST}/${dead.mark}`, '')
      await dead.kill()
      await heir.ask('register', 'web', signal)
      await former.withdraw('register', 'web')
      await world().settled()
      expect(await marks()).to.have.length(1)
      expect(await holder()).to.equal('7')
    })

    it('stays with a peer that leaves no marks, until that has given it back', async () => {
      await guest.ask('register', 'web')
      const own = await mailbox()
      const error = (await expectCode(own.ask('register', 'web', signal), 'EADDRINUSE')) as ConduitError
      expect(error.hint).to.contain(`xenstore-rm /local/domain/7/${REQUEST}`)
      expect(await holder()).to.equal('7')
      await guest.withdraw('register', 'web')
      await own.ask('register', 'web', signal)
    })

    it('is asked for no more once whoever asked gave up, whenever that was', async () => {
      const own = await mailbox()
      for (let turns = 0; turns < 12; turns++) {
        const giveUp = new AbortController()
        const asked = own.ask('register', 'web', giveUp.signal).catch(() => undefined)
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
        giveUp.abort()
        await asked
      }
      await own.close()
      // A question that was answered first is a name held.
      await own.withdraw('register', 'web')
      expect(await guest.store.directory('data/conduit/register')).to.deep.equal([])
    })

    it('is not had by an answer that the killed one never read', async () => {
      await (await world().guest(3)).ask('register', 'web')
      await guest.store.write('data/conduit/answer/web', 'ok')
      await expectCode((await mailbox()).ask('register', 'web', signal), 'EADDRINUSE')
      expect(await holder()).to.equal('3')
    })
  })
}
