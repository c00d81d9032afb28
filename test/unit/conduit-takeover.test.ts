// What a server finds that takes the place of one of its own domain that was killed: the former's marks, keys and clients.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { clientPath, listenPath, vchanPath } from '../../protocol/conduit.js'
import { Conduit } from '../../src/conduit/conduit.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { MarkedProcess } from '../support/marked-process.js'
import { MemoryWorld } from '../support/memory-world.js'
import { StoreGuest } from '../support/store-guest.js'

const echo = (socket: ConduitSocket) => void socket.on('error', () => undefined).pipe(socket)

describe('a server that follows one that was killed', () => {
  let world: MemoryWorld
  let client: Conduit
  /** The server's domain, as the former process saw it. */
  let former: StoreGuest
  let killed: MarkedProcess
  let server: Conduit

  beforeEach(async () => {
    world = await MemoryWorld.start()
    client = await world.environment()
    const substrate = world.domain()
    former = new StoreGuest(substrate.domid, await world.client(substrate.domid))
    killed = new MarkedProcess()
    server = await Conduit.open({ substrate })
  })
  afterEach(async () => {
    await killed.kill()
    await former.store.close()
    await server.close()
    await world.close()
  })

  const roundTrip = async (socket: ConduitSocket): Promise<string> => {
    socket.end('hello')
    return text(socket)
  }

  describe('by name', () => {
    beforeEach(async () => {
      await former.store.write(`data/conduit/register/web/${killed.mark}`, '')
      expect(await former.ask('register', 'web')).to.equal('ok')
    })

    it('serves who asked the former in vain', async () => {
      const waiting = client.connect('web')
      await eventually(async () => (await world.dom0.directory(clientPath('web', client.domid)).catch(() => []))[0])
      await expectCode(server.createServer(echo).listen('web'), 'EADDRINUSE')
      await killed.kill()
      await server.createServer(echo).listen('web')
      expect(await roundTrip(await waiting)).to.equal('hello')
    })

    it('clears away the keys of a handshake that the former died in, and the request is its client’s', async () => {
      const stranger = new StoreGuest(world.domain().domid, client.store)
      const id = '0123456789ab'
      const other = await world.client(stranger.domid)
      await other.write(`/local/domain/${stranger.domid}/data/conduit/want/web`, '')
      const directory = clientPath('web', stranger.domid)
      await eventually(() => world.dom0.exists(directory))
      await other.write(`${directory}/${id}`, 'accepted')
      const keys = vchanPath(former.domid, stranger.domid)
      await former.store.write(`${keys}/${id}/ring-ref`, '8')
      await killed.kill()
      await server.createServer(echo).listen('web')
      await eventually(async () => !(await world.dom0.exists(`${keys}/${id}`)))
      expect(await world.dom0.directory(`${listenPath('web')}/${stranger.domid}`)).to.deep.equal([id])
      await other.close()
      world.kill(stranger.domid)
    })
  })

  describe('at vchan://DOMID/PORT', () => {
    let address: string
    let path: string
    beforeEach(async () => {
      address = `vchan://${client.domid}/http`
      path = `${vchanPath(former.domid, client.domid)}/http`
      await former.store.write(`${path}/ring-ref`, '8')
      await former.store.write(`${path}/event-channel`, '1')
    })

    it('takes the place once the former has died, and not before', async () => {
      await former.store.write(`${path}/process`, killed.mark)
      const error = await expectCode(server.createServer().listen(address), 'EADDRINUSE')
      expect(error.message).to.contain(`by process ${killed.pid}`)
      expect(await former.read(`${path}/ring-ref`)).to.equal('8')
      await killed.kill()
      await server.createServer(echo).listen(address)
      expect(await roundTrip(await client.connect(`vchan://${server.domid}/http`))).to.equal('hello')
    })

    it('leaves the keys of a server without a mark, such as libxenvchan’s, and says how to remove them', async () => {
      const error = await expectCode(server.createServer().listen(address), 'EADDRINUSE')
      expect(error.hint).to.contain(`xenstore-rm ${path}`)
      expect(await former.read(`${path}/ring-ref`)).to.equal('8')
      await former.store.remove(path)
      await server.createServer(echo).listen(address)
    })

    it('takes nothing away that another has put there in its stead', async () => {
      await former.store.remove(path)
      const serving = server.createServer(echo)
      await serving.listen(address)
      await former.store.write(`${path}/process`, killed.mark)
      await serving.close()
      expect(await former.read(`${path}/process`)).to.equal(killed.mark)
      await former.store.remove(vchanPath(former.domid, client.domid))
    })

    it('is told when another was faster after the store had been lost', async () => {
      await former.store.remove(path)
      const serving = server.createServer()
      await serving.listen(address)
      const failed = once(serving, 'error')
      const mkdir = server.store.mkdir.bind(server.store)
      server.store.mkdir = async (directory, options) => {
        await former.store.write(`${path}/process`, killed.mark)
        return mkdir(directory, options)
      }
      await world.restartStore()
      expect((await failed)[0]).to.have.property('code', 'EADDRINUSE')
      expect(await former.read(`${path}/process`)).to.equal(killed.mark)
      await former.store.remove(vchanPath(former.domid, client.domid))
    })
  })
})
