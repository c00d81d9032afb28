// A name that nobody holds boots the service behind it: on the real local hypervisor, with real programs.
import { expect } from 'chai'
import { namePath } from '../../protocol/conduit.js'
import type { Conduit } from '../../src/conduit/conduit.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { servicesOf } from '../support/directory-world.js'
import { eventually } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { SUMMONED_SERVER, SummonWorld } from '../support/summon-world.js'

const program = (...command: string[]) => ({ launcher: { kind: 'process', command } })
const www = { name: 'www', ...program(process.execPath, SUMMONED_SERVER, 'www') }

describe('summon', () => {
  let world: SummonWorld
  afterEach(() => world.close())

  const echoed = async (client: Conduit, name = 'www'): Promise<string> => {
    const socket = await client.connect(name)
    socket.end('hello')
    let text = ''
    for await (const chunk of socket) text += chunk
    return text
  }

  it('connecting to a stopped service boots it', async () => {
    world = await SummonWorld.start(servicesOf({ ...www, idleSeconds: 60 }))
    const client = await world.client()
    expect(await echoed(client)).to.equal('hello')
    expect(world.state('www')).to.equal('ready')
    const { steps, ...timeline } = world.directory.timelines('www')[0]!
    expect(timeline).to.deep.include({ number: 1, by: 'conduit', askers: 1, outcome: 'ready' })
    const order = ['query', 'launch', 'built', 'unpaused', 'alive', 'ready', 'answered'] as const
    const times = order.map((step) => steps[step] ?? Number.NaN)
    expect(times).to.deep.equal([...times].sort((a, b) => a - b))
    const owner = Number(await world.dom0.readText(namePath('www')))
    expect(world.directory.byName('www')?.instance?.domid).to.equal(owner)
  })

  it('a thousand who ask at once boot one', async () => {
    world = await SummonWorld.start(servicesOf(www))
    const client = await world.client()
    const service = world.directory.byName('www')!
    const asked = Array.from({ length: 1000 }, () => service.summon('dns'))
    const connected = Array.from({ length: 40 }, () => client.connect('www'))
    await Promise.all(asked)
    const sockets: ConduitSocket[] = await Promise.all(connected)
    for (const socket of sockets) socket.destroy()
    expect(world.directory.timelines()).to.have.length(1)
    expect(world.log.lines.filter((line) => line.includes('listening on www'))).to.have.length(1)
  })

  it('a name that no service has, or that no jitsud is there for, stays ENOENT at once', async () => {
    world = await SummonWorld.start(servicesOf(www))
    const client = await world.client()
    await expectCode(client.connect('nobody'), 'ENOENT')
    expect(world.node?.counters.answered).to.equal(1)
    await world.node?.close()
    await expectCode(client.connect('www'), 'ENOENT')
    await expectCode(client.connect('jitsud'), 'ENOENT')
    expect(world.directory.timelines()).to.deep.equal([])
  })

  it('a client’s limit and signal end its waiting, and not the boot', async () => {
    world = await SummonWorld.start(servicesOf({ name: 'www', ...program('sleep', '1000') }))
    const client = await world.client()
    const given = new AbortController()
    const asked = client.connect('www', { signal: given.signal })
    await world.becomes('www', 'starting')
    given.abort(new Error('enough'))
    expect(await rejectionOf(asked)).to.have.property('message', 'enough')
    const error = await expectCode(client.connect('www', { timeoutMs: 1 }), 'ETIMEDOUT')
    expect(error.endpoint).to.equal('www')
    expect(world.state('www')).to.equal('starting')
  })

  it('a service that cannot be booted is an error with the reason, also for the next who asks', async () => {
    world = await SummonWorld.start(servicesOf({ name: 'www', ...program('sh', '-c', 'exit 3') }))
    const client = await world.client()
    const first = await expectCode(client.connect('www'), 'BOOT_FAILED')
    expect(first.message).to.match(/^www was not booted: .*exit status 3/)
    expect((await expectCode(client.connect('www'), 'BOOT_FAILED')).message).to.match(/not tried again for 1 s/)
    expect(world.directory.timelines()).to.have.length(1)
  })

  it('one that does not listen in time is ended, with what was missing', async () => {
    const ready = { when: 'conduit', timeoutSeconds: 0.2 }
    world = await SummonWorld.start(servicesOf({ name: 'www', ready, ...program('sleep', '1000') }))
    const client = await world.client()
    const error = await expectCode(client.connect('www'), 'BOOT_TIMEOUT')
    expect(error.message).to.match(/has not listened on the conduit name www/)
    await world.becomes('www', 'stopped')
  })

  it('a program that takes another service’s name, or a stranger that takes one, is refused', async () => {
    const services = [www, { name: 'thief', ...program(process.execPath, SUMMONED_SERVER, 'www') }]
    world = await SummonWorld.start(servicesOf(...services))
    const stranger = await world.client()
    await expectCode(stranger.createServer().listen('www'), 'EACCES')
    const failed = await expectCode(world.directory.byName('thief')!.summon('admin'), 'BOOT_FAILED')
    expect(failed.message).to.match(/ended while it booted/)
    expect(world.log.lines.join('\n')).to.include('EACCES')
    expect(await echoed(stranger)).to.equal('hello')
  })

  it('one that ends is booted again for the next client', async () => {
    world = await SummonWorld.start(servicesOf(www))
    const client = await world.client()
    await echoed(client)
    const first = world.directory.byName('www')!.instance!.pid!
    process.kill(first, 'SIGKILL')
    await world.becomes('www', 'stopped')
    expect(await echoed(client)).to.equal('hello')
    expect(world.directory.byName('www')!.instance!.pid).to.not.equal(first)
  })

  it('one that has been connected to is not stopped until the connection has ended', async () => {
    world = await SummonWorld.start(servicesOf({ ...www, idleSeconds: 0.2, stop: 'shutdown' }))
    const client = await world.client()
    const socket = await client.connect('www')
    // Three times as long as it may be idle, by the same timers.
    await new Promise<void>((resolve) => setTimeout(resolve, 600))
    expect(world.state('www')).to.equal('ready')
    socket.end()
    socket.resume()
    await world.becomes('www', 'stopped')
  })

  it('what runs is found again after a restart, as the same process', async () => {
    world = await SummonWorld.start(servicesOf(www))
    const client = await world.client()
    await echoed(client)
    const { pid } = world.directory.byName('www')!.instance!
    await world.restart(servicesOf(www))
    await world.becomes('www', 'ready')
    expect(world.directory.byName('www')!.instance!.pid).to.equal(pid)
    await eventually(() => world.directory.byName('www')!.instance!.domid !== undefined)
    expect(await echoed(client)).to.equal('hello')
  })

  it('goes on when the local hypervisor is killed: what runs, what is kept and who can ask', async () => {
    world = await SummonWorld.start(
      servicesOf(www, { name: 'db', ...program(process.execPath, SUMMONED_SERVER, 'db') }),
    )
    const client = await world.client()
    await echoed(client)
    const [hypervisor] = world.local.hypervisors()
    process.kill(hypervisor!, 'SIGKILL')
    await eventually(async () => (await world.dom0.readText(namePath('www')).catch(() => '')) !== '')
    await eventually(async () => world.dom0.exists(namePath('jitsud')).catch(() => false))
    expect(await echoed(client)).to.equal('hello')
    expect(await echoed(client, 'db')).to.equal('hello')
    const stranger = await world.client()
    await expectCode(stranger.createServer().listen('www'), 'EACCES')
    expect(world.state('www')).to.equal('ready')
  })
})
