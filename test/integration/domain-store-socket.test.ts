// The store by a path with one domain's rights: who may use it, and how long it is there.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { CONTROL_SOCKET_NAME, ControlStatus, ControlType, domainStoreName } from '../../protocol/local-control.js'
import { encodeStrings, encodeXenstoreMessage, XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { native } from '../../src/native.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { eventually } from '../support/eventually.js'
import { type LocalWorld, localWorld, until } from '../support/local-world.js'
import { RawControl } from '../support/raw-control.js'

describe('store socket of a domain', () => {
  let world: LocalWorld
  let control: RawControl
  let domid: number
  let path: string

  beforeEach(async () => {
    world = localWorld()
    // Somebody has to start the hypervisor.
    await world.attach()
    control = new RawControl(native().unixConnect(join(world.directory, CONTROL_SOCKET_NAME)))
    domid = await control.attach()
    path = join(world.directory, domainStoreName(domid))
  })
  afterEach(async () => {
    control.close()
    await world.close()
  })

  const ask = async (): Promise<number> => (await control.request(ControlType.STORE_SOCKET, [])).status

  it('is there once it was asked for, and serves the domain’s process with the domain’s rights', async () => {
    expect(existsSync(path)).to.equal(false)
    expect(await ask()).to.equal(ControlStatus.OK)
    expect(await ask(), 'asked again').to.equal(ControlStatus.OK)
    const store = await XenstoreClient.open(unixSocketTransport(path))
    expect(await store.readText('domid')).to.equal(String(domid))
    await store.write('data/mine', 'x')
    const refused = await store.write('/local/domain/0/data', 'x').catch((error) => error)
    expect(refused).to.have.property('code', 'EACCES')
    await store.close()
  })

  it('hangs up on any other process of the same user', async () => {
    await ask()
    const script = `const socket = require('node:net').connect(process.argv[1])
      socket.on('error', () => {}).on('data', () => process.stdout.write('served', () => socket.destroy()))
      socket.on('close', () => process.stdout.write('closed')).write(Buffer.from(process.argv[2], 'hex'))`
    const ids = { requestId: 1, transactionId: 0 }
    const request = encodeXenstoreMessage({ type: XENSTORE_TYPES.READ, ...ids, payload: encodeStrings(['domid']) })
    const said = execFileSync(process.execPath, ['-e', script, path, request.toString('hex')], { encoding: 'utf8' })
    expect(said).to.equal('closed')
  })

  it('goes with the domain, and ends the connections that came through it', async () => {
    await ask()
    const transport = await unixSocketTransport(path)()
    transport.ref()
    const closed = new Promise((resolve) => transport.onClose(() => resolve(undefined)))
    control.close()
    await closed
    await eventually(() => !existsSync(path))
    control = new RawControl(native().unixConnect(join(world.directory, CONTROL_SOCKET_NAME)))
  })

  it('of a killed hypervisor is removed by the next', async () => {
    await ask()
    const [pid] = world.hypervisors()
    process.kill(pid!, 'SIGKILL')
    await until(() => !world.hypervisors().includes(pid!))
    await until(() => world.hypervisors().length === 1)
    await eventually(() => !readdirSync(world.directory).includes(domainStoreName(domid)))
  })
})
