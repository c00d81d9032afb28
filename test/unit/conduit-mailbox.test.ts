// A domain's side of the mailbox over the embedded store, with a registrar.
import { expect } from 'chai'
import { Mailbox } from '../../src/conduit/mailbox.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { StoreWorld } from '../support/store-world.js'

describe('mailbox', () => {
  let world: StoreWorld
  beforeEach(async () => {
    world = await StoreWorld.start()
  })
  afterEach(() => world.close())

  it('asks again at once after a refusal, and is answered again', async () => {
    const guest = await world.guest(7)
    const mailbox = new Mailbox(guest.store, () => guest.domid)
    const { signal } = new AbortController()
    for (let question = 0; question < 3; question++) await expectCode(mailbox.ask('want', 'web', signal), 'ENOENT')
    await (await world.guest(3)).ask('register', 'web')
    await mailbox.ask('want', 'web', signal)
    expect(await world.dom0.exists('/conduit/web/listen/7')).to.equal(true)
    await mailbox.close()
  })

  it('leaves no answer of a name that it gave back, also one that was answered twice', async () => {
    const guest = await world.guest(7)
    const mailbox = new Mailbox(guest.store, () => guest.domid)
    await mailbox.ask('register', 'web', new AbortController().signal)
    // As an event makes the registrar do that comes after the question was answered.
    await guest.store.write('data/conduit/register/web', '')
    await eventually(() => world.dom0.exists('/local/domain/7/data/conduit/answer/web'))
    await mailbox.withdraw('register', 'web')
    expect(await world.dom0.directory('/local/domain/7/data/conduit/answer')).to.deep.equal([])
    await mailbox.close()
  })

  it('leaves nothing asked for when it closes right after a refusal', async () => {
    const guest = await world.guest(7)
    const mailbox = new Mailbox(guest.store, () => guest.domid)
    await expectCode(mailbox.ask('want', 'web', new AbortController().signal), 'ENOENT')
    await mailbox.close()
    expect(await world.dom0.directory('/local/domain/7/data/conduit/want')).to.deep.equal([])
  })
})
