// ocaml-conduit's flat layout, against a re-enactment of its steps: one body, run on each world.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import type { Conduit } from '../../src/conduit/conduit.js'
import type { ConduitServer } from '../../src/conduit/server.js'
import type { ConduitError } from '../../src/errors.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import type { ConduitWorld } from '../support/conduit-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { OcamlConduit } from '../support/ocaml-conduit.js'

const FLAT = { layout: 'flat' } as const
const echo = (socket: ConduitSocket) => void socket.on('error', () => undefined).pipe(socket)

/** There and back, towards a peer that knows no half-close. */
async function exchange(socket: ConduitSocket, message: string): Promise<string> {
  const answer = once(socket, 'data')
  socket.write(message)
  return String((await answer)[0])
}

const roundTrip = async (socket: ConduitSocket, message: string): Promise<string> => {
  socket.end(message)
  return text(socket)
}

export function describeFlatLayout(title: string, startWorld: () => Promise<ConduitWorld>): void {
  describe(title, () => {
    let world: ConduitWorld
    let conduit: Conduit
    const peers: OcamlConduit[] = []

    beforeEach(async () => {
      world = await startWorld()
      await world.dom0.setPermissions('/conduit', [{ access: 'b', domid: domid(0) }])
      conduit = await world.environment()
    })
    afterEach(async () => {
      await Promise.all(peers.splice(0).map((peer) => peer.die()))
      await world.close()
    })

    const ocaml = async (name: string): Promise<OcamlConduit> => {
      const peer = await OcamlConduit.register(await world.bare(), name)
      peers.push(peer)
      return peer
    }
    const serve = async (address: string, ports: string[] = [], on = conduit): Promise<ConduitServer> => {
      const server = on.createServer(FLAT, (socket: ConduitSocket) => {
        ports.push(String(socket.localPort))
        echo(socket)
      })
      await server.listen(address)
      return server
    }
    const textOf = (path: string): Promise<string | undefined> => world.dom0.readText(path).catch(() => undefined)
    const childrenOf = (path: string): Promise<string[]> => world.dom0.directory(path).catch(() => [])

    describe('our server', () => {
      it('registers flat, takes a request of ocaml-conduit and becomes the vchan server of its port', async () => {
        await serve('web')
        expect(await textOf('/conduit/web')).to.equal(String(conduit.domid))
        const client = await ocaml('browser')
        expect(await exchange(await client.connect('web', 'http'), 'hello')).to.equal('hello')
        await eventually(async () => (await childrenOf('/conduit/web')).length === 0)
      })

      it('serves both of two ports that one client has queued, and one port again and again', async () => {
        const ports: string[] = []
        await serve('web', ports)
        const client = await ocaml('browser')
        await client.store.transaction(async (transaction) => {
          for (const port of ['one', 'two'])
            await client.store.write(`/conduit/web/browser/${port}`, port, { transaction })
        })
        const sockets = await Promise.all(['one', 'two'].map((port) => client.open(conduit.domid, port)))
        for (const socket of sockets) expect(await exchange(socket, 'hello')).to.equal('hello')
        for (const socket of sockets) socket.destroy()
        for (let round = 0; round < 3; round++) {
          const path = `/local/domain/${conduit.domid}/data/vchan/${client.domid}/one/ring-ref`
          await eventually(async () => (await textOf(path)) === undefined)
          const socket = await client.connect('web', 'one')
          expect(await exchange(socket, 'again')).to.equal('again')
          socket.destroy()
        }
        expect([...ports].sort()).to.deep.equal(['one', 'one', 'one', 'one', 'two'])
      })

      it('leaves requests for other ports where it listens on one, to another server', async () => {
        const http: string[] = []
        const others: string[] = []
        await serve('web:http', http)
        const client = await ocaml('browser')
        await client.request('web', 'ftp')
        expect(await exchange(await client.connect('web', 'http'), 'hello')).to.equal('hello')
        await turns()
        expect(await childrenOf('/conduit/web/browser')).to.deep.equal(['ftp'])
        await serve('web', others)
        expect(await exchange(await client.open(conduit.domid, 'ftp'), 'hello')).to.equal('hello')
        expect([http, others]).to.deep.equal([['http'], ['ftp']])
        await expectCode(serve('web'), 'EADDRINUSE')
      })

      it('is not disturbed by requests that cannot be', async () => {
        const hostile = await ocaml('hostile')
        const { store } = hostile
        await serve('web')
        const claims = { garbage: 'x', huge: '4294967296', negative: '-1', reserved: '32752', padded: ' 3', empty: '' }
        for (const [name, value] of Object.entries(claims)) {
          await store.write(`/conduit/${name}`, value)
          await store.write(`/conduit/web/${name}/http`, 'http')
        }
        await store.write('/conduit/web/nobody/http', 'http')
        await store.write(`/conduit/web/${'x'.repeat(200)}/http`, 'http')
        await store.write('/conduit/web/hostile/@here', 'http')
        await store.write(`/conduit/web/hostile/${'p'.repeat(64)}`, 'http')
        await store.write('/conduit/web/hostile/deep/deeper/deepest', 'http')
        await store.write('/conduit/web/listen/http', 'http')
        await store.write('/conduit/web/hostile/private', 'http')
        await store.setPermissions('/conduit/web/hostile/private', [{ access: 'n', domid: hostile.domid }])
        const client = await ocaml('browser')
        expect(await exchange(await client.connect('web', 'http'), 'hello')).to.equal('hello')
        await eventually(async () => {
          const left = await childrenOf('/conduit/web')
          return left.every((child) => ['listen', 'hostile', 'x'.repeat(200)].includes(child))
        })
        for (const name of Object.keys(claims)) await store.remove(`/conduit/${name}`)
      })

      it('claims a name again that was removed, and loses one that another domain has written', async () => {
        const server = await serve('web')
        await world.dom0.remove('/conduit/web')
        await eventually(async () => (await textOf('/conduit/web')) === String(conduit.domid))
        const lost = once(server, 'error')
        const thief = await ocaml('web')
        const [error] = (await lost) as [ConduitError]
        expect(error.code).to.equal('EADDRINUSE')
        expect(error.hint).to.be.a('string')
        await server.close()
        expect(await textOf('/conduit/web')).to.equal(String(thief.domid))
      })

      it('drops what is over maxConnections, and takes its name and what was asked for away at the end', async () => {
        const server = conduit.createServer({ ...FLAT, maxConnections: 1 }, echo)
        await server.listen('web')
        const client = await ocaml('browser')
        const socket = await client.connect('web', 'one')
        const dropped = once(server, 'drop')
        await client.request('web', 'two')
        expect((await dropped)[0]).to.deep.equal({ name: 'web', port: 'two', domid: client.domid })
        await client.store.write('/conduit/web/later', '')
        socket.destroy()
        await server.close()
        expect(await childrenOf('/conduit')).to.have.members(['host-id', 'flows', 'browser'])
      })
    })

    describe('our client', () => {
      it('registers flat, asks as ocaml-conduit does and becomes the vchan client of its keys', async () => {
        const server = await ocaml('unikernel')
        const connecting = conduit.connect('unikernel:http', { ...FLAT, localName: 'me' })
        const asked = await server.accept()
        expect(asked).to.deep.equal({ claimed: 'me', domid: conduit.domid, port: 'http' })
        const [theirs, ours] = await Promise.all([server.serve(asked), connecting])
        theirs.pipe(theirs)
        expect(await exchange(ours, 'hello')).to.equal('hello')
        expect([ours.remoteAddress, ours.remotePort]).to.deep.equal(['unikernel', 'http'])
        await eventually(async () => (await textOf('/conduit/me')) === undefined)
      })

      it('waits on a port until an earlier connection has taken its keys away', async () => {
        const server = await ocaml('unikernel')
        const first = conduit.connect('unikernel:http', FLAT)
        const [theirFirst, ourFirst] = await Promise.all([server.accept().then((asked) => server.serve(asked)), first])
        ourFirst.on('error', () => undefined)
        const second = conduit.connect('unikernel:http', FLAT)
        await turns()
        expect(await childrenOf('/conduit/unikernel')).to.deep.equal([])
        theirFirst.destroy()
        const [theirs, ours] = await Promise.all([server.accept().then((asked) => server.serve(asked)), second])
        theirs.pipe(theirs)
        expect(await exchange(ours, 'hello')).to.equal('hello')
      })

      it('takes turns on one port of a server', async () => {
        const ports: string[] = []
        await serve('web', ports)
        const client = await world.environment()
        const connects = Array.from({ length: 8 }, async (_, i) =>
          roundTrip(await client.connect('web:http', FLAT), `${i}`),
        )
        expect(await Promise.all(connects)).to.deep.equal(['0', '1', '2', '3', '4', '5', '6', '7'])
        expect(ports).to.deep.equal(Array(8).fill('http'))
      })

      it('reaches a server of ours, many at a time, with a port and without', async () => {
        await serve('web')
        const client = await world.environment()
        const addresses = ['web', 'web:http', 'web:http', 'vchan://web/ftp', ...Array.from({ length: 40 }, () => 'web')]
        const answers = await Promise.all(
          addresses.map(async (address, i) => roundTrip(await client.connect(address, FLAT), `${i}`)),
        )
        expect(answers).to.deep.equal(addresses.map((_, i) => `${i}`))
        await eventually(async () => (await childrenOf('/conduit')).length === 3)
      })

      it('fails with ENOENT where nobody has the name, and waits for it when asked to', async () => {
        await expectCode(conduit.connect('late', FLAT), 'ENOENT')
        const waiting = conduit.connect('late', { ...FLAT, wait: true })
        await turns()
        await serve('late', [], await world.environment())
        expect(await roundTrip(await waiting, 'hello')).to.equal('hello')
      })

      it('takes its request and its name back when its signal aborts', async () => {
        const server = await ocaml('busy')
        const controller = new AbortController()
        const connecting = conduit.connect('busy', { ...FLAT, localName: 'me', signal: controller.signal })
        await eventually(async () => (await childrenOf('/conduit/busy/me')).length === 1)
        const reason = new Error('enough')
        controller.abort(reason)
        expect(await rejectionOf(connecting)).to.equal(reason)
        await eventually(async () => (await textOf('/conduit/me')) === undefined)
        await eventually(async () => (await childrenOf('/conduit/busy')).length === 0)
        expect(await textOf('/conduit/busy')).to.equal(String(server.domid))
      })
    })

    describe('what it does not do', () => {
      it('is refused with a hint where /conduit is closed', async () => {
        await world.dom0.setPermissions('/conduit', [{ access: 'r', domid: domid(0) }])
        for (const refused of [conduit.connect('web', FLAT), conduit.createServer(FLAT).listen('web')]) {
          const error = await expectCode(refused, 'EACCES')
          expect(error.hint).to.contain('xenstore-chmod /conduit b0')
        }
        await conduit.createServer(echo).listen('web')
        expect(await roundTrip(await conduit.connect('web'), 'hello')).to.equal('hello')
      })

      it('leaves the names of the registrar alone', async () => {
        await conduit.createServer(echo).listen('web')
        const other = await world.environment()
        const claiming = await expectCode(other.createServer(FLAT).listen('web'), 'EADDRINUSE')
        expect(claiming.hint).to.be.a('string')
        await expectCode(other.createServer(FLAT).listen('jitsud'), 'EADDRINUSE')
        const asking = await expectCode(other.connect('web', FLAT), 'EACCES')
        expect(asking.hint).to.contain('without layout')
        expect(await roundTrip(await other.connect('web'), 'hello')).to.equal('hello')
      })

      it('carries no messages, and takes localName for itself only', async () => {
        expect(() => conduit.createServer({ ...FLAT, mode: 'message' })).to.throw(TypeError, 'streams only')
        expect(() => conduit.createServer({ layout: 'round' as never })).to.throw(TypeError, 'round')
        expect(await rejectionOf(conduit.connect('web', { ...FLAT, mode: 'message' }))).to.be.instanceOf(TypeError)
        expect(await rejectionOf(conduit.connect('web', { localName: 'me' }))).to.be.instanceOf(TypeError)
        for (const localName of ['not a name', 'a/b', 'flows', 'ME', '']) {
          await expectCode(conduit.connect('web', { ...FLAT, localName }), 'CONDUIT_NAME')
        }
      })
    })
  })
}
