// The program conduit-registrar, in a process of its own, on the stores there are.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { serveSocket, serveStore } from '../../src/xenstore/store/socket-server.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import { eventually } from '../support/eventually.js'
import { until } from '../support/local-world.js'
import { RegistrarProcess } from '../support/registrar-process.js'
import { RegistrarWorld } from '../support/registrar-world.js'
import { withStoreDaemons } from '../support/store-daemons.js'
import { StoreWorld } from '../support/store-world.js'

const ONE_LINE = /^conduit-registrar: [^\n]+\n$/

describe('conduit-registrar', () => {
  let directory: string
  let socket: string
  let world: StoreWorld
  let closeStore: () => Promise<void>
  const started: RegistrarProcess[] = []

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-registrar-'))
    socket = join(directory, 'socket')
    world = await StoreWorld.start()
    await world.registrar.close()
    const server = await serveStore(world.store, socket)
    closeStore = () => server.close()
  })
  afterEach(async () => {
    for (const registrar of started.splice(0)) await registrar.end('SIGKILL')
    await closeStore()
    await world.close()
    rmSync(directory, { recursive: true })
  })

  const serve = async (args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<RegistrarProcess> => {
    const registrar = await RegistrarProcess.serving(socket, args, env)
    started.push(registrar)
    return registrar
  }
  /** One that ends by itself. */
  const attempt = async (path = socket, args: readonly string[] = []) => {
    const registrar = new RegistrarProcess(path, args)
    started.push(registrar)
    return { status: await registrar.ended, complaints: registrar.complaints, output: registrar.output }
  }

  it('serves every domain, those that come later too', async () => {
    const early = await world.guest(3)
    await serve()
    expect(await early.ask('register', 'web')).to.equal('ok')
    expect(await (await world.guest(7)).ask('want', 'web')).to.equal('ok')
  })

  it('--reserve keeps names for domains', async () => {
    await serve(['--reserve', 'jitsud=3', '--reserve', 'web=4'])
    const [three, four] = [await world.guest(3), await world.guest(4)]
    expect([await three.ask('register', 'jitsud'), await three.ask('register', 'web')]).to.deep.equal(['ok', 'EACCES'])
    expect([await four.ask('register', 'jitsud'), await four.ask('register', 'web')]).to.deep.equal(['EACCES', 'ok'])
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`ends with 0 at ${signal}, and leaves what it gave out to the next one`, async () => {
      const registrar = await serve()
      const server = await world.guest(3)
      await server.ask('register', 'web')
      expect(await registrar.end(signal)).to.equal(0)
      expect(await world.tree('/conduit/web')).to.deep.equal(['/conduit/web r0 3', '/conduit/web/listen n0,r3'])
      expect(await world.dom0.exists('/conduit/host-id/registrar')).to.equal(false)
      await serve()
      expect(await (await world.guest(4)).ask('register', 'web')).to.equal('EADDRINUSE')
    })
  }

  it('refuses to run beside another one, and says which', async () => {
    const first = await serve()
    const second = await attempt()
    expect(second.status).to.equal(1)
    expect(second.complaints).to.match(ONE_LINE).and.contain('EADDRINUSE').and.contain(`process ${first.pid}`)
    expect(await (await world.guest(3)).ask('register', 'web')).to.equal('ok')
  })

  it('takes the place of one that was killed', async () => {
    const killed = await serve()
    await (await world.guest(3)).ask('register', 'web')
    expect(await killed.end('SIGKILL')).to.equal('SIGKILL')
    await serve()
    expect(await (await world.guest(4)).ask('register', 'web')).to.equal('EADDRINUSE')
    expect(await (await world.guest(4)).ask('register', 'mail')).to.equal('ok')
  })

  it('ends when another one has taken its place', async () => {
    const registrar = await serve()
    await world.dom0.write('/conduit/host-id/registrar', '77 another')
    expect(await registrar.ended).to.equal(1)
    expect(registrar.complaints).to.contain('EADDRINUSE').and.contain('process 77')
  })

  it('waits for a store that is started again, and makes everything anew in it', async () => {
    const registrar = await serve()
    await closeStore()
    await registrar.says(/is gone: waiting/)
    await world.close()
    world = await StoreWorld.start()
    await world.registrar.close()
    const server = await serveStore(world.store, socket)
    closeStore = () => server.close()
    await registrar.says(/is back/)
    expect(await (await world.guest(3)).ask('register', 'web')).to.equal('ok')
    expect(await registrar.end('SIGTERM')).to.equal(0)
  })

  it('ends at a signal while the store is gone', async () => {
    const registrar = await serve()
    await closeStore()
    await registrar.says(/is gone: waiting/)
    expect(await registrar.end('SIGTERM')).to.equal(0)
  })

  it('says where it has to run when there is no store', async () => {
    const { status, complaints } = await attempt(join(directory, 'none'))
    expect(status).to.equal(1)
    expect(complaints).to.match(ONE_LINE).and.contain('ENOENT').and.contain('runs in dom0')
    const long = await attempt(`/${'x'.repeat(200)}`)
    expect([long.status, ONE_LINE.test(long.complaints)]).to.deep.equal([1, true])
  })

  it('says that only dom0 may, where the store is a guest’s', async () => {
    const store = new EmbeddedStore()
    store.introduceDomain(domid(5))
    const guests = join(directory, 'guest')
    const server = createServer((connection) => serveSocket(store, domid(5), connection))
    await new Promise<void>((resolve) => server.listen(guests, resolve))
    const { status, complaints } = await attempt(guests)
    server.close()
    expect(status).to.equal(1)
    expect(complaints).to.match(ONE_LINE).and.contain('EACCES').and.contain('only dom0 may')
  })

  it('tells systemd once names are served', async () => {
    const told = join(directory, 'told')
    const notifier = join(directory, 'systemd-notify')
    writeFileSync(notifier, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" > ${told}.new && mv ${told}.new ${told}\n`)
    chmodSync(notifier, 0o755)
    const env = { NOTIFY_SOCKET: '/run/of/systemd', PATH: `${directory}:${process.env.PATH}` }
    await serve([], env)
    await until(() => existsSync(told))
    expect(readFileSync(told, 'utf8')).to.equal('/run/of/systemd --ready\n')
  })

  it('says that systemd cannot be told, and serves', async () => {
    const registrar = await serve([], { NOTIFY_SOCKET: '/run/of/systemd', PATH: directory })
    await registrar.says(/systemd-notify failed/)
    expect(await (await world.guest(3)).ask('register', 'web')).to.equal('ok')
  })

  it('prints help and version', async () => {
    const help = await attempt(socket, ['--help'])
    expect([help.status, help.complaints]).to.deep.equal([0, ''])
    for (const word of ['--reserve <name=domid>', 'Exit status', 'XENSTORED_PATH']) expect(help.output).to.contain(word)
    expect((await attempt(socket, ['--version'])).output).to.match(/^\d+\.\d+\.\d+\n$/)
  })

  const WRONG: readonly (readonly string[])[] = [
    ['web'],
    ['--reserve'],
    ['--reserve', 'web'],
    ['--reserve', '=3'],
    ['--reserve', 'web='],
    ['--reserve', 'web=-1'],
    ['--reserve', 'web=03'],
    ['--reserve', 'web=32752'],
    ['--reserve', 'web=3.0'],
    ['--reserve', 'a.b=3'],
    ['--reserve', 'flows=3'],
    ['--reserve', '12=3'],
    ['--reserve', `${'x'.repeat(64)}=3`],
    ['--reserve', 'web=3', '--reserve', 'WEB=4'],
    ['--nonsense'],
    ['-k'],
  ]
  for (const args of WRONG) {
    it(`refuses "${args.join(' ').slice(0, 40)}" with status 2 and one line`, async () => {
      const { status, complaints } = await attempt(socket, args)
      expect(status).to.equal(2)
      expect(complaints).to.match(ONE_LINE).and.contain('conduit-registrar --help')
      expect(await world.dom0.exists('/conduit/host-id/registrar')).to.equal(false)
    })
  }
})

withStoreDaemons((daemons) => {
  for (const traits of daemons) {
    it(`conduit-registrar serves guests of ${traits.name}, and makes room for those that die`, async () => {
      const daemon = await traits.start()
      const world = await RegistrarWorld.withoutRegistrar(daemon)
      const registrar = await RegistrarProcess.serving(daemon.socket!)
      try {
        const [server, client] = [await world.guest(3), await world.guest(7)]
        expect(await server.ask('register', 'web')).to.equal('ok')
        expect(await client.ask('want', 'web')).to.equal('ok')
        expect(await client.ask('register', 'web')).to.equal('EADDRINUSE')
        await world.kill(3)
        await eventually(async () => !(await world.dom0.exists('/conduit/web')))
        expect(await client.ask('register', 'web')).to.equal('ok')
        expect(await registrar.end('SIGTERM')).to.equal(0)
      } finally {
        await registrar.end('SIGKILL')
        await world.close()
      }
    })
  }
})
