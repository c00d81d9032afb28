// What the registrar holds to on any xenstore, as one body of tests: who gets which name and which rights, and what a
// hostile guest cannot do.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { ENTRIES_PER_CLIENT, NAMES_PER_DOMAIN } from '../../src/conduit/name-directory.js'
import { Registrar } from '../../src/conduit/registrar.js'
import { reservedNames, reserveName, unreserveName } from '../../src/conduit/reservations.js'
import { EventLog } from '../support/event-log.js'
import { eventually } from '../support/eventually.js'
import { RegistrarWorld } from '../support/registrar-world.js'
import { describeClaim } from './registrar-suite-claim.js'
import { describeDoctor } from './registrar-suite-doctor.js'
import { describeHolders } from './registrar-suite-holders.js'
import type { StoreTraits } from './xenstore-suite.js'

export function describeRegistrar(traits: StoreTraits): void {
  describe(`registrar: ${traits.name}`, () => {
    let world: RegistrarWorld
    beforeEach(async () => {
      world = await RegistrarWorld.start(await traits.start())
    })
    afterEach(() => world.close())

    describeClaim(() => world)
    describeDoctor(() => world)
    describeHolders(() => world)

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
      expect(await world.tree('/conduit/flows/3')).to.deep.equal(['/conduit/flows/3 n3'])
    })

    it('tells the second that the name is taken, and the first again that it is its own', async () => {
      const [first, second] = [await world.guest(3), await world.guest(4)]
      await first.ask('register', 'web')
      expect(await second.ask('register', 'web')).to.equal('EADDRINUSE')
      expect(await first.ask('register', 'web')).to.equal('ok')
      expect(await first.read('/conduit/web')).to.equal('3')
    })

    it('answers a question once, also one that comes while the mailbox is looked through', async () => {
      const first = await world.guest(3)
      expect(await first.ask('register', 'web')).to.equal('ok')
      for (let id = 10; id < 30; id++) {
        // It asks before the registrar can know that it is there: a second answer to this would pass for one to the next.
        const guest = await world.guest(id)
        expect(await guest.ask('want', 'web')).to.equal('ok')
        expect(await guest.ask('register', 'web')).to.equal('EADDRINUSE')
      }
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
      const reserved = new Map([
        ['jitsud', domid(3)],
        ['web', domid(4)],
      ])
      await world.restart({ reserved })
      const [three, four] = [await world.guest(3), await world.guest(4)]
      expect(await three.ask('register', 'web')).to.equal('EACCES')
      expect(await four.ask('register', 'jitsud')).to.equal('EACCES')
      expect(await three.ask('register', 'jitsud')).to.equal('ok')
      expect(await four.ask('register', 'web')).to.equal('ok')
    })

    it('keeps what dom0 reserves in the store, from then on and until it is taken back', async () => {
      const [three, four] = [await world.guest(3), await world.guest(4)]
      await reserveName(world.dom0, 'web', { kind: 'domain', domid: domid(4) })
      await reserveName(world.dom0, 'jitsud', { kind: 'domain', domid: domid(3) })
      await reserveName(world.dom0, 'off', { kind: 'nobody' })
      expect(await reservedNames(world.dom0)).to.have.members(['web', 'jitsud', 'off'])
      expect(await three.ask('register', 'web')).to.equal('EACCES')
      expect(await four.ask('register', 'jitsud')).to.equal('EACCES')
      expect(await four.ask('register', 'off')).to.equal('EACCES')
      expect(await three.ask('register', 'jitsud')).to.equal('ok')
      expect(await four.ask('register', 'web')).to.equal('ok')
      for (const name of ['web', 'off', 'off']) await unreserveName(world.dom0, name)
      await four.withdraw('register', 'web')
      await gone('/conduit/web')
      await three.withdraw('register', 'web')
      expect(await three.ask('register', 'web')).to.equal('ok')
      await three.withdraw('register', 'off')
      expect(await three.ask('register', 'off')).to.equal('ok')
    })

    it('makes its id also where a name was reserved before', async () => {
      await world.registrar.close()
      await world.dom0.remove('/conduit')
      await reserveName(world.dom0, 'web', { kind: 'nobody' })
      await world.restart()
      expect(await world.dom0.readText('/conduit/host-id')).to.match(/^[0-9a-f]{32}$/)
      expect(await (await world.guest(3)).ask('register', 'web')).to.equal('EACCES')
    })

    it('lets no guest reserve a name, and gives one whose reservation cannot be read to nobody', async () => {
      const guest = await world.guest(3)
      await reserveName(world.dom0, 'web', { kind: 'nobody' })
      const mine = { kind: 'domain', domid: domid(3) } as const
      for (const name of ['web', 'mine']) {
        expect(await guest.attempt((store) => reserveName(store, name, mine)), name).to.equal('EACCES')
      }
      expect(await guest.attempt((store) => unreserveName(store, 'web'))).to.equal('EACCES')
      for (const text of ['', '3', 'domain', 'domain 03', 'domain 3 4', 'domain 70000', 'session 0', 'process 1']) {
        await world.dom0.write('/conduit/host-id/reserved/web', text)
        await guest.withdraw('register', 'web').catch(() => undefined)
        expect(await guest.ask('register', 'web'), text).to.equal('EACCES')
      }
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
      await world.settled()
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
      await world.restart()
      const [root, ...tree] = await world.tree()
      expect(root).to.equal('/conduit b0')
      expect(tree.filter((node) => !/host-id|flows/.test(node))).to.deep.equal([
        `/conduit/claimed ${traits.rules.makerOwns ? 'b3' : 'b0'} 7`,
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
      await world.settled()
      watched.length = 0
      await world.kill(3)
      await gone('/conduit/web')
      await gone('/conduit/mail/listen/3')
      await gone('/conduit/flows/3')
      expect(await world.dom0.exists('/conduit/mail/listen/7')).to.equal(true)
      expect(await other.read('/conduit/mail')).to.equal('4')
      await eventually(() => watched.includes('/conduit/web/listen/7'))
    })

    it(`takes the directory from a client with more than ${ENTRIES_PER_CLIENT} entries, and leaves the others theirs`, async () => {
      const [server, client, other] = [await world.guest(3), await world.guest(7), await world.guest(8)]
      await server.ask('register', 'web')
      await client.ask('want', 'web')
      await other.ask('want', 'web')
      const entry = (i: number) => `/conduit/web/listen/7/${i.toString(16).padStart(12, '0')}`
      for (let i = 0; i < ENTRIES_PER_CLIENT; i++) await client.store.write(entry(i), '(connect (mode stream))')
      await world.settled()
      expect(await world.dom0.exists('/conduit/web/listen/7')).to.equal(true)
      await client.store.write(entry(ENTRIES_PER_CLIENT), 'x')
      await gone('/conduit/web/listen/7')
      expect(await world.dom0.exists('/conduit/web/listen/8')).to.equal(true)
      expect(await client.ask('want', 'web')).to.equal('ok')
    })

    it('takes the directory from a client that makes anything below an entry', async () => {
      const [server, client] = [await world.guest(3), await world.guest(7)]
      await server.ask('register', 'web')
      await client.ask('want', 'web')
      await client.store.write('/conduit/web/listen/7/0123456789ab/below', 'x')
      await gone('/conduit/web/listen/7')
      expect(await client.ask('want', 'web')).to.equal('ok')
    })

    it('that starts again takes the directory from clients that went too far in between', async () => {
      const [server, wide, deep, honest] = [
        await world.guest(3),
        await world.guest(7),
        await world.guest(8),
        await world.guest(9),
      ]
      await server.ask('register', 'web')
      for (const client of [wide, deep, honest]) await client.ask('want', 'web')
      await world.registrar.close()
      for (let i = 0; i <= ENTRIES_PER_CLIENT; i++) await wide.store.write(`/conduit/web/listen/7/${i}`, 'x')
      await deep.store.write('/conduit/web/listen/8/0123456789ab/below', 'x')
      await honest.store.write('/conduit/web/listen/9/0123456789ab', '(connect (mode stream))')
      world.registrar = await Registrar.start(await world.client(0))
      // Their requests to be let in stand, so each has an empty directory again.
      await world.settled()
      const left = ['7', '8', '9'].map((client) => world.dom0.directory(`/conduit/web/listen/${client}`))
      expect(await Promise.all(left)).to.deep.equal([[], [], ['0123456789ab']])
    })

    it('that starts again is not stopped by a client that removes its directory at that moment', async () => {
      const [server, client] = [await world.guest(3), await world.guest(7)]
      await server.ask('register', 'web')
      await server.ask('register', 'mail')
      await client.ask('want', 'web')
      await world.registrar.close()
      const store = await world.client(0)
      const directory = store.directory.bind(store)
      store.directory = async (path, options) => {
        if (path === '/conduit/web/listen/7') await client.store.remove(path)
        return directory(path, options)
      }
      world.registrar = await Registrar.start(store)
      expect(await server.read('/conduit/web')).to.equal('3')
      expect(await server.read('/conduit/mail')).to.equal('3')
    })

    it('leaves a hostile server its own quota for what it writes about its connections', async () => {
      const server = await world.guest(3)
      await server.ask('register', 'web')
      let made = 0
      let refusal = 'done'
      for (; refusal === 'done' && made < 1100; made++) {
        refusal = await server.attempt((store) => store.write(`/conduit/flows/3/${made % 50}/${made}`, 'x'))
      }
      expect(refusal).to.equal('XENSTORE_QUOTA')
    })

    it('tells a server of a client’s death by the removal of its directory, whatever the client did', async () => {
      const [server, client] = [await world.guest(3), await world.guest(7)]
      await server.ask('register', 'web')
      await client.ask('want', 'web')
      const seen = new EventLog()
      await server.store.watch('/conduit/web/listen', seen.listener)
      await seen.seen('/conduit/web/listen')
      await client.store.write('/conduit/web/listen/7/0123456789ab', 'x')
      await client.attempt((store) => store.setPermissions('/conduit/web/listen/7', [{ access: 'n', domid: domid(7) }]))
      await world.kill(7)
      await seen.seen('/conduit/web/listen/7')
    })

    it('answers others while one domain fills its mailbox to its quota, again and again', async () => {
      const [hostile, honest] = [await world.guest(9), await world.guest(3)]
      for (let round = 0; round < 2; round++) {
        for (const kind of ['register', 'want']) {
          // Few writes and many nodes: C xenstored makes whoever writes much wait, 200 writes a second.
          const writes = Array.from({ length: 160 }, (_, i) =>
            hostile.attempt((store) => store.write(`data/conduit/${kind}/x${round}-${i % 80}/${i}/a/b/c/d/e`, '')),
          )
          await Promise.all(writes)
        }
        expect(await honest.ask('register', `web-${round}`)).to.equal('ok')
        await hostile.store.remove('data/conduit')
      }
      await eventually(async () => (await world.dom0.directory('/conduit')).every((child) => !child.startsWith('x')))
    })

    it('takes no word for another domain, and leaves nobody’s answer to be forged', async () => {
      const [server, hostile] = [await world.guest(3), await world.guest(9)]
      await server.ask('register', 'web')
      const forbidden = [
        hostile.attempt((store) => store.write('/local/domain/3/data/conduit/register/evil', '')),
        hostile.attempt((store) => store.remove('/local/domain/3/data/conduit/register/web')),
        hostile.attempt((store) => store.write('/local/domain/3/data/conduit/answer/web', 'EACCES')),
        hostile.attempt((store) => store.write('/conduit/host-id', '0')),
        hostile.attempt((store) => store.remove('/conduit/web')),
      ]
      expect(await Promise.all(forbidden)).to.deep.equal(forbidden.map(() => 'EACCES'))
      // Its own request counts for itself alone, whatever it writes into it.
      await hostile.store.write('data/conduit/register/mine', '3')
      await eventually(() => hostile.read('/conduit/mine'))
      expect(await hostile.read('/conduit/mine')).to.equal('9')
    })

    it('that starts again takes the directory of a client that died in between', async () => {
      const [server, client] = [await world.guest(3), await world.guest(7)]
      await server.ask('register', 'web')
      await client.ask('want', 'web')
      await world.registrar.close()
      await world.kill(7)
      world.registrar = await Registrar.start(await world.client(0))
      await gone('/conduit/web/listen/7')
      expect(await server.read('/conduit/web')).to.equal('3')
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
      await world.kill(4)
      world.registrar = await Registrar.start(await world.client(0))
      await gone('/conduit/mail')
      await gone('/conduit/given-back')
      expect(await world.tree('/conduit/web')).to.deep.equal(before)
      expect(await client.read('/conduit/host-id')).to.equal(hostId)
      const other = await world.guest(5)
      expect(await other.ask('register', 'web')).to.equal('EADDRINUSE')
    })
  })
}
