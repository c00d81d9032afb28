// The registrar over the embedded store: who gets which name and which rights, and what a hostile guest cannot do.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { ENTRIES_PER_CLIENT, NAMES_PER_DOMAIN } from '../../src/conduit/name-directory.js'
import { Registrar } from '../../src/conduit/registrar.js'
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

  const gone = (path: string) => eventually(async () => !(await world.dom0.exists(path)))

  it('makes /conduit readable by all, with 128 random bits as its id', async () => {
    const [root, flows, hostId, ...rest] = await world.tree()
    expect(root).to.equal('/conduit r0')
    expect(flows).to.equal('/conduit/flows r0')
    expect(hostId).to.match(/^\/conduit\/host-id r0 [0-9a-f]{32}$/)
    expect(rest).to.deep.equal([])
  })

  it('gives a name to the first who asks, with the rights of protocol 4.3', async () => {
    const server = await world.guest(3)
    expect(await server.ask('register', 'web')).to.equal('ok')
    expect(await world.tree('/conduit/web')).to.deep.equal(['/conduit/web r0 3', '/conduit/web/listen n0,r3'])
    expect(await world.tree('/conduit/flows/3')).to.deep.equal(['/conduit/flows/3 n0,b3'])
  })

  it('tells the second that the name is taken, and the first again that it is its own', async () => {
    const [first, second] = [await world.guest(3), await world.guest(4)]
    await first.ask('register', 'web')
    expect(await second.ask('register', 'web')).to.equal('EADDRINUSE')
    expect(await first.ask('register', 'web')).to.equal('ok')
    expect(await first.read('/conduit/web')).to.equal('3')
  })

  it('lets a client in only where it asks to be, and only it and the server', async () => {
    const [server, client] = [await world.guest(3), await world.guest(7)]
    expect(await client.ask('want', 'web')).to.equal('ENOENT')
    await server.ask('register', 'web')
    expect(await client.ask('want', 'web')).to.equal('ok')
    expect(await world.tree('/conduit/web/listen')).to.deep.equal([
      '/conduit/web/listen n0,r3',
      '/conduit/web/listen/7 n0,b7,b3',
    ])
  })

  it('lets the server read, rewrite and remove a request, and the client read the answer', async () => {
    const [server, client] = [await world.guest(3), await world.guest(7)]
    await server.ask('register', 'web')
    await client.ask('want', 'web')
    const entry = '/conduit/web/listen/7/0123456789ab'
    await client.store.write(entry, '(connect (mode stream))')
    expect(await server.read(entry)).to.equal('(connect (mode stream))')
    await server.store.write(entry, 'accepted')
    expect(await client.read(entry)).to.equal('accepted')
    expect(await server.store.directory('/conduit/web/listen/7')).to.deep.equal(['0123456789ab'])
    await server.store.remove(entry)
    expect(await client.read(entry)).to.equal(undefined)
  })

  it('leaves a third domain nothing to list, read, write, forge or take over', async () => {
    const [server, client, hostile] = [await world.guest(3), await world.guest(7), await world.guest(9)]
    await server.ask('register', 'web')
    await client.ask('want', 'web')
    const entry = '/conduit/web/listen/7/0123456789ab'
    await client.store.write(entry, '(connect (mode stream))')
    const forbidden = [
      hostile.attempt((store) => store.directory('/conduit/web/listen')),
      hostile.attempt((store) => store.directory('/conduit/web/listen/7')),
      hostile.attempt((store) => store.read(entry)),
      hostile.attempt((store) => store.write(entry, 'accepted')),
      hostile.attempt((store) => store.remove(entry)),
      hostile.attempt((store) => store.write('/conduit/web/listen/9/0123456789ab', 'x')),
      hostile.attempt((store) => store.mkdir('/conduit/web/listen/9')),
      hostile.attempt((store) => store.write('/conduit/web', '9')),
      hostile.attempt((store) => store.mkdir('/conduit/evil')),
      hostile.attempt((store) => store.write('/conduit/flows/3/0123456789ab', 'x')),
      hostile.attempt((store) => store.setPermissions('/conduit/web', [{ access: 'b', domid: domid(9) }])),
      hostile.attempt((store) => store.write('/local/domain/3/data/conduit/register/evil', '')),
    ]
    expect(await Promise.all(forbidden)).to.deep.equal(forbidden.map(() => 'EACCES'))
  })

  it('refuses reserved words, and names that cannot be one', async () => {
    const guest = await world.guest(3)
    expect(await guest.ask('register', 'jitsud')).to.equal('EACCES')
    for (const name of ['flows', 'handoff', 'host-id', 'Web', '12', '-x', 'x'.repeat(64), '@x']) {
      expect(await guest.ask('register', name), name).to.equal('CONDUIT_NAME')
      expect(await guest.ask('want', name), name).to.equal('CONDUIT_NAME')
    }
    expect((await world.tree()).length).to.equal(3)
  })

  it('keeps what its configuration reserves for one domain', async () => {
    await world.registrar.close()
    const reserved = new Map([
      ['jitsud', domid(3)],
      ['web', domid(4)],
    ])
    world.registrar = await Registrar.start(await world.client(0), { reserved })
    const [three, four] = [await world.guest(3), await world.guest(4)]
    expect(await three.ask('register', 'web')).to.equal('EACCES')
    expect(await four.ask('register', 'jitsud')).to.equal('EACCES')
    expect(await three.ask('register', 'jitsud')).to.equal('ok')
    expect(await four.ask('register', 'web')).to.equal('ok')
  })

  it(`holds at most ${NAMES_PER_DOMAIN} names for a domain, and one more when one is given back`, async () => {
    const guest = await world.guest(3)
    for (let i = 0; i < NAMES_PER_DOMAIN; i++) expect(await guest.ask('register', `n${i}`)).to.equal('ok')
    expect(await guest.ask('register', 'one-more')).to.equal('XENSTORE_QUOTA')
    await guest.withdraw('register', 'n3')
    await gone('/conduit/n3')
    expect(await guest.ask('register', 'one-more')).to.equal('ok')
  })

  it('takes a name back by removal of the request, with every client directory', async () => {
    const [server, client] = [await world.guest(3), await world.guest(7)]
    await server.ask('register', 'web')
    await client.ask('want', 'web')
    await server.withdraw('register', 'web')
    await gone('/conduit/web')
    await gone('/conduit/flows/3')
    expect(await client.ask('want', 'web')).to.equal('ENOENT')
    expect(await client.ask('register', 'web')).to.equal('ok')
  })

  it('keeps the flows of connections that outlive the name', async () => {
    const server = await world.guest(3)
    await server.ask('register', 'web')
    await server.store.write('/conduit/flows/3/0123456789ab', '(established (client 7) (name web))')
    await server.withdraw('register', 'web')
    await gone('/conduit/web')
    await turns()
    expect(await server.read('/conduit/flows/3/0123456789ab')).to.not.equal(undefined)
  })

  it('lets a client go by removal of its request', async () => {
    const [server, client] = [await world.guest(3), await world.guest(7)]
    await server.ask('register', 'web')
    await client.ask('want', 'web')
    await client.withdraw('want', 'web')
    await gone('/conduit/web/listen/7')
  })

  it('that starts again takes no claim of the flat layout for a right, and leaves /conduit as open as it was', async () => {
    const guest = await world.guest(3)
    await guest.ask('register', 'given')
    await world.dom0.setPermissions('/conduit', [{ access: 'b', domid: domid(0) }])
    await guest.store.write('/conduit/claimed', '7')
    await world.dom0.write('/conduit/of-dom0', '3')
    await world.registrar.close()
    world.registrar = await Registrar.start(await world.client(0))
    const [root, ...tree] = await world.tree()
    expect(root).to.equal('/conduit b0')
    expect(tree.filter((node) => !/host-id|flows/.test(node))).to.deep.equal([
      '/conduit/claimed b3 7',
      '/conduit/given r0 3',
      '/conduit/given/listen n0,r3',
      '/conduit/of-dom0 b0 3',
    ])
  })

  it('sees a mailbox that goes as a whole', async () => {
    const [server, client] = [await world.guest(3), await world.guest(7)]
    await server.ask('register', 'web')
    await server.ask('register', 'mail')
    await client.ask('want', 'mail')
    await server.store.remove('/local/domain/3/data/conduit/register')
    await gone('/conduit/web')
    await gone('/conduit/mail')
    await server.ask('register', 'web')
    await server.store.remove('/local/domain/3/data/conduit')
    await gone('/conduit/web')
  })

  it('removes all that a dead domain held and wanted, and nothing else', async () => {
    const [server, other, client] = [await world.guest(3), await world.guest(4), await world.guest(7)]
    await server.ask('register', 'web')
    await other.ask('register', 'mail')
    await server.ask('want', 'mail')
    await client.ask('want', 'web')
    await client.ask('want', 'mail')
    const watched: string[] = []
    await client.store.watch('/conduit/web/listen/7', (path) => void watched.push(path))
    await turns()
    watched.length = 0
    world.store.domainDied(domid(3))
    await gone('/conduit/web')
    await gone('/conduit/mail/listen/3')
    await gone('/conduit/flows/3')
    expect(await world.dom0.exists('/conduit/mail/listen/7')).to.equal(true)
    expect(await other.read('/conduit/mail')).to.equal('4')
    await eventually(() => watched.includes('/conduit/web/listen/7'))
  })

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

  it(`takes the directory from a client with more than ${ENTRIES_PER_CLIENT} entries, and leaves the others theirs`, async () => {
    const [server, client, other] = [await world.guest(3), await world.guest(7), await world.guest(8)]
    await server.ask('register', 'web')
    await client.ask('want', 'web')
    await other.ask('want', 'web')
    const entry = (i: number) => `/conduit/web/listen/7/${i.toString(16).padStart(12, '0')}`
    for (let i = 0; i < ENTRIES_PER_CLIENT; i++) await client.store.write(entry(i), '(connect (mode stream))')
    await turns()
    expect(await world.dom0.exists('/conduit/web/listen/7')).to.equal(true)
    await client.store.write(entry(ENTRIES_PER_CLIENT), 'x')
    await gone('/conduit/web/listen/7')
    expect(await world.dom0.exists('/conduit/web/listen/8')).to.equal(true)
    expect(await client.ask('want', 'web')).to.equal('ok')
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

  it('answers others while one domain floods its mailbox', async () => {
    const [hostile, honest] = [await world.guest(9), await world.guest(3)]
    for (let i = 0; i < 300; i++) {
      const name = i.toString(36).padStart(4, '0')
      await hostile.attempt((store) => store.write(`/local/domain/9/data/conduit/want/x${name}`, ''))
    }
    expect(await honest.ask('register', 'web')).to.equal('ok')
  })

  it('goes on where an earlier registrar stopped, but for domains that died in between', async () => {
    const [server, dead, client] = [await world.guest(3), await world.guest(4), await world.guest(7)]
    await server.ask('register', 'web')
    await server.ask('register', 'given-back')
    await dead.ask('register', 'mail')
    await client.ask('want', 'web')
    const before = await world.tree('/conduit/web')
    const hostId = await client.read('/conduit/host-id')
    await world.registrar.close()
    await server.withdraw('register', 'given-back')
    world.store.domainDied(domid(4))
    world.registrar = await Registrar.start(await world.client(0))
    await gone('/conduit/mail')
    await gone('/conduit/given-back')
    expect(await world.tree('/conduit/web')).to.deep.equal(before)
    expect(await client.read('/conduit/host-id')).to.equal(hostId)
    const other = await world.guest(5)
    expect(await other.ask('register', 'web')).to.equal('EADDRINUSE')
  })
})
