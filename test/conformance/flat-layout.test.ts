// The flat layout on every world there is: memory, where also time and the store's death can be had, and local.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import type { ConduitError } from '../../src/errors.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { eventually } from '../support/eventually.js'
import { LocalConduitWorld } from '../support/local-conduit-world.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryWorld } from '../support/memory-world.js'
import { OcamlConduit } from '../support/ocaml-conduit.js'
import { describeWithAddon } from '../support/with-addon.js'
import { describeFlatLayout } from './flat-layout-suite.js'

const FLAT = { layout: 'flat' } as const
const OPEN = [{ access: 'b', domid: domid(0) }] as const

describeFlatLayout('the flat layout over memory', () => MemoryWorld.start())

describe('the flat layout among faults', () => {
  let world: MemoryWorld
  beforeEach(async () => {
    world = await MemoryWorld.start()
    await world.dom0.setPermissions('/conduit', OPEN)
  })
  afterEach(() => world.close())

  it('a client that asks and never comes is given up, and its port served again', async () => {
    const clock = new ManualClock()
    const conduit = await world.environment({ clock, handshakeTimeoutMs: 1000 })
    const server = conduit.createServer(FLAT, (socket: ConduitSocket) => void socket.on('error', () => undefined))
    await server.listen('web')
    const client = await OcamlConduit.register(await world.bare(), 'browser')
    const keys = `/local/domain/${conduit.domid}/data/vchan/${client.domid}/http/ring-ref`
    const there = async () => (await world.dom0.readText(keys).catch(() => undefined)) !== undefined
    for (let round = 0; round < 2; round++) {
      await client.request('web', 'http')
      await eventually(there)
      clock.advance(1000)
      await eventually(async () => !(await there()))
    }
    const socket = await client.connect('web', 'http')
    await eventually(() => server.connections === 1)
    socket.destroy()
    await client.die()
  })

  for (const step of ['before the served node goes', 'while the empty directory goes'] as const) {
    it(`a second port that a client queues ${step} is not lost`, async () => {
      const conduit = await world.environment()
      const server = conduit.createServer(FLAT, (socket: ConduitSocket) => void socket.on('error', () => undefined))
      await server.listen('web')
      const client = await OcamlConduit.register(await world.bare(), 'browser')
      const { store } = conduit
      const [remove, directory] = [store.remove.bind(store), store.directory.bind(store)]
      let second: Promise<unknown> | undefined
      const queue = () => {
        second ??= client.request('web', 'two')
        return second
      }
      store.remove = async (path, options) => {
        if (step.startsWith('before') && path === '/conduit/web/browser/one') await queue()
        return remove(path, options)
      }
      store.directory = async (path, options) => {
        const children = await directory(path, options)
        if (step.startsWith('while') && options?.transaction !== undefined && path === '/conduit/web/browser')
          await queue()
        return children
      }
      const first = client.connect('web', 'one')
      const sockets = [await first, await client.open(conduit.domid, 'two')]
      await eventually(() => server.connections === 2)
      for (const socket of sockets) socket.destroy()
      await client.die()
    })
  }

  it('however much one client asks for, 64 handshakes are under way and the rest waits in the store', async () => {
    const clock = new ManualClock()
    const conduit = await world.environment({ clock, handshakeTimeoutMs: 1000 })
    await conduit.createServer(FLAT).listen('web')
    const client = await OcamlConduit.register(await world.bare(), 'browser')
    await Promise.all(Array.from({ length: 200 }, (_, i) => client.request('web', `port-${i}`)))
    const keys = `/local/domain/${conduit.domid}/data/vchan/${client.domid}`
    const served = async () => (await world.dom0.directory(keys).catch(() => [])).length
    await eventually(async () => (await served()) === 64)
    expect(await world.dom0.directory('/conduit/web/browser')).to.have.length(200 - 64)
    await client.die()
  })

  it('a store that comes back closed ends the server with a hint; one that is opened again takes it', async () => {
    const conduit = await world.environment()
    const server = conduit.createServer(FLAT)
    await server.listen('web')
    const failed = new Promise<ConduitError>((resolve) => server.once('error', resolve))
    await world.restartStore()
    const error = await failed
    expect(error.code).to.equal('EACCES')
    expect(error.hint).to.contain('xenstore-chmod')
    await server.close()
    await world.dom0.setPermissions('/conduit', OPEN)
    await conduit.createServer(FLAT).listen('web')
  })
})

describeWithAddon(() => describeFlatLayout('the flat layout over local', () => LocalConduitWorld.start()))
