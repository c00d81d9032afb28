import { expect } from 'chai'
import { listenPath } from '../../protocol/conduit.js'
import { Listener } from '../../src/conduit/listener.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { MemoryWorld } from '../support/memory-world.js'

describe('a listener', () => {
  let world: MemoryWorld
  beforeEach(async () => {
    world = await MemoryWorld.start()
  })
  afterEach(() => world.close())

  it('keeps a client that is faster than its first port, instead of refusing it', async () => {
    const [server, client] = [await world.environment(), await world.environment()]
    const context = server.attachServer(server.createServer())
    const listener = await Listener.open(context, 'web', new AbortController().signal)
    const early = client.connect('web')
    early.catch(() => undefined)
    const directory = `${listenPath('web')}/${client.domid}`
    const entry = await eventually(async () => (await world.dom0.directory(directory).catch(() => []))[0])
    await turns(50)
    expect(await world.dom0.readText(`${directory}/${entry}`)).to.match(/^\(connect /)
    const nothing = () => undefined
    // A code that no listener says by itself.
    const handler = {
      mode: 'stream',
      admit: () => 'EMFILE' as const,
      onConnection: nothing,
      onAbandoned: nothing,
    } as const
    listener.addPort(undefined, { ...handler, ringBytes: undefined, spinMicros: undefined, onNameLost: nothing })
    await expectCode(early, 'EMFILE')
    await listener.close()
  })
})
