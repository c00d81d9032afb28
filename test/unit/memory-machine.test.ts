// A machine in one process, as users of conduit-vchan/testing have it: through the package's own entry points.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { MemoryMachine } from '../../src/testing.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'

describe('MemoryMachine', () => {
  let machine: MemoryMachine

  beforeEach(async () => {
    machine = await MemoryMachine.start()
  })
  afterEach(() => machine.close())

  it('connects by name, from one domain to another', async () => {
    const [server, client] = [await machine.environment(), await machine.environment()]
    expect(server.domid).to.not.equal(client.domid)
    await server.createServer((socket) => socket.pipe(socket)).listen('echo')
    const socket = await client.connect('echo')
    socket.end('hello')
    expect(await text(socket)).to.equal('hello')
    await expectCode(client.connect('nobody'), 'ENOENT')
  })

  it('kills a domain as kill -9 does: its peer gets every byte and ECONNRESET, and its name is free', async () => {
    const [server, client] = [await machine.environment(), await machine.environment()]
    await server.createServer((socket) => socket.write('last words')).listen('web')
    const socket = await client.connect('web')
    const [heard] = await once(socket, 'data')
    expect(String(heard)).to.equal('last words')
    const failed = once(socket, 'error')
    machine.kill(server)
    expect((await failed)[0]).to.have.property('code', 'ECONNRESET')
    const next = await machine.environment()
    await next.createServer().listen('web')
  })

  it('leaves nothing mapped or bound once it is closed', async () => {
    const [server, client] = [await machine.environment(), await machine.environment()]
    await server.createServer((socket) => socket.on('error', () => {})).listen('web')
    const socket = await client.connect('web')
    socket.on('error', () => {})
    await machine.close()
    machine.hypervisor.assertClean()
  })

  it('lives on when a client fails whose socket nobody has taken yet', async () => {
    const [server, client] = [await machine.environment(), await machine.environment()]
    const listening = server.createServer()
    await listening.listen('web')
    const gone = await client.connect('web')
    await eventually(() => listening.connections === 1)
    gone.destroy()
    await eventually(() => listening.connections === 0)
    await client.connect('web').then((socket) => socket.end('next'))
    for await (const socket of listening) {
      expect(await text(socket)).to.equal('next')
      break
    }
  })

  it('has faults that come when the test says so', async () => {
    const [server, client] = [await machine.environment(), await machine.environment()]
    await server.createServer().listen('web')
    machine.hypervisor.fail('map', 'MAPPING_FAILED')
    await expectCode(client.connect('web', { timeoutMs: 1000 }), 'MAPPING_FAILED')
  })
})
