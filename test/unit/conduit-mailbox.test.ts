// A domain's side of the mailbox over the embedded store, with a registrar.
import { readlinkSync } from 'node:fs'
import { expect } from 'chai'
import { Mailbox } from '../../src/conduit/mailbox.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { StoreWorld } from '../support/store-world.js'

const namespace = () => /[0-9]+/.exec(readlinkSync('/proc/self/ns/pid'))![0]

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

  it('clears away what processes left that ended without a word, and only that', async () => {
    const guest = await world.guest(7)
    await (await world.guest(3)).ask('register', 'web')
    const mailbox = new Mailbox(guest.store, () => guest.domid)
    await mailbox.ask('want', 'web', new AbortController().signal)
    const want = 'data/conduit/want/web'
    const [own] = await guest.store.directory(want)
    const parts = own!.split('-')
    // A process of the same number that began earlier, one of another pid namespace, and one of an older version.
    const dead = [parts[0], '1', parts[2], '0000000a'].join('-')
    const others = [[parts[0], '1', '1', '0000000b'].join('-'), '0000000c']
    for (const mark of [dead, ...others]) await guest.store.write(`${want}/${mark}`, '')
    const next = new Mailbox(guest.store, () => guest.domid)
    await next.ask('want', 'web', new AbortController().signal)
    await eventually(async () => !(await guest.store.directory(want)).includes(dead))
    expect(await guest.store.directory(want)).to.include.members([own!, ...others])
    await Promise.all([mailbox.close(), next.close()])
  })

  it('finds room where the dead have filled the quota of the node', async () => {
    const guest = await world.guest(7)
    await (await world.guest(3)).ask('register', 'web')
    const dead = (number: number) => [process.pid, 1, namespace(), number.toString(16).padStart(8, '0')].join('-')
    const fill = async () => {
      for (let i = 0; ; i++) await guest.store.write(`data/conduit/want/web/${dead(i)}`, '')
    }
    await expectCode(fill(), 'XENSTORE_QUOTA')
    const mailbox = new Mailbox(guest.store, () => guest.domid)
    await mailbox.ask('want', 'web', new AbortController().signal)
    expect(await guest.store.directory('data/conduit/want/web')).to.have.length(1)
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
