// connect() and createConnection() to endpoints of every kind, with real sockets and the real local hypervisor.
import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { expect } from 'chai'
import { formatDiscoveryParams } from '../../protocol/conduit-discovery.js'
import {
  ConduitSocket,
  connect,
  createConnection,
  createResolver,
  DeferredSocket,
  type Endpoint,
  type EndpointConnectOptions,
  openEnvironment,
  type UriAddress,
} from '../../src/index.js'
import { readHostId } from '../../src/resolver/host-id.js'
import { Resolver } from '../../src/resolver/resolver.js'
import { runningStore } from '../../src/substrate/select-store.js'
import { a, DnsZone, svcb, type ZoneEntry } from '../support/dns-zone.js'
import { EchoServers } from '../support/echo-servers.js'
import { setVariables } from '../support/environment-variables.js'
import { eventually } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'
import { TEST_CERTIFICATE } from '../support/test-certificate.js'
import { describeWithAddon } from '../support/with-addon.js'

const ca = { tls: { ca: TEST_CERTIFICATE } }
const HOST = 'www.example.org'

/** What comes back when `text` is sent and our direction ended. */
async function echoed(socket: Duplex, text = 'hello'): Promise<string> {
  socket.end(text)
  const chunks = await socket.toArray()
  return chunks.join('')
}

describeWithAddon(() => {
  describe('connect() to any endpoint', suite)
})

function suite(): void {
  let world: LocalWorld
  let servers: EchoServers
  let restore: () => void
  const resolverFor = (entries: Readonly<Record<string, ZoneEntry>>, rules = {}): Resolver =>
    new Resolver({ servers: ['192.0.2.1'], queryDns: new DnsZone(entries).query, rules })
  /** One that knows which host this is, and heeds what DNS says of its conduits. */
  const onThisHost = (entries: Readonly<Record<string, ZoneEntry>>): Resolver =>
    createResolver({ servers: ['192.0.2.1'], queryDns: new DnsZone(entries).query } as object)
  /** Every DNS name is this machine. */
  const here = resolverFor({}, { '': '127.0.0.1' })

  before(() => {
    world = localWorld()
    restore = setVariables({ CONDUIT_RUNTIME_DIR: world.directory, CONDUIT_BACKEND: 'local', CONDUIT_DNS: '192.0.2.1' })
  })
  after(async () => {
    await world.close()
    restore()
  })
  beforeEach(() => {
    servers = new EchoServers()
  })
  afterEach(() => servers.close())

  it('tcp://127.0.0.1:PORT is a net.Socket', async () => {
    const socket = await connect(`tcp://127.0.0.1:${await servers.tcp()}`)
    expect(socket).to.be.instanceOf(net.Socket)
    expect(await echoed(socket)).to.equal('hello')
  })

  it('unix:///path is a net.Socket', async () => {
    const socket = await connect(`unix://${await servers.unix()}`)
    expect(socket).to.be.instanceOf(net.Socket)
    expect(await echoed(socket)).to.equal('hello')
  })

  it('www.xen, http://www.xen/ and vchan://www are ConduitSockets', async () => {
    await servers.conduit('www')
    for (const address of ['www', 'www.xen', 'vchan://www', 'http://www.xen/', 'www.xen:8080'] as const) {
      const socket = await connect(address)
      expect(socket, address).to.be.instanceOf(ConduitSocket)
      expect(await echoed(socket), address).to.equal('hello')
    }
  })

  it('vchan://DOMID/PORT is a ConduitSocket', async () => {
    await using other = await openEnvironment()
    await other.createServer((socket) => socket.destroy()).listen('other')
    const self = (await connect('other')).on('error', () => undefined).localAddress
    await other.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(`${self}/http`)
    const socket = await connect(`vchan://${other.domid}/http`)
    expect(socket).to.be.instanceOf(ConduitSocket)
    expect(await echoed(socket)).to.equal('hello')
  })

  it('http://HOST:PORT/ is whatever DNS says: TCP', async () => {
    const port = await servers.tcp()
    const resolver = resolverFor({ [`A ${HOST}`]: [a(HOST, '127.0.0.1')] })
    const socket = await connect(`http://${HOST}:${port}/`, { resolver })
    expect(socket).to.be.instanceOf(net.Socket)
    expect(await echoed(socket)).to.equal('hello')
  })

  it('http://HOST:PORT/ is TCP where DNS tells of a conduit of this host, and nobody is behind it', async () => {
    const port = await servers.tcp()
    await servers.conduit('taken:other')
    const hostId = await readHostId(runningStore({})!, new AbortController().signal)
    for (const conduit of ['nobody', 'taken']) {
      const params = formatDiscoveryParams({ name: conduit, port: undefined, hostId: hostId! })
      const name = `_conduit.${HOST}`
      const told = { [`SVCB ${name}`]: [svcb(name, params)] }
      const resolver = onThisHost({ ...told, [`A ${HOST}`]: [a(HOST, '127.0.0.1')] })
      expect((await resolver.resolve(`http://${HOST}:${port}/`)).endpoint).to.include({ kind: 'vchan-name' })
      const socket = await connect(`http://${HOST}:${port}/`, { resolver })
      expect(socket, conduit).to.be.instanceOf(net.Socket)
      expect(await echoed(socket)).to.equal('hello')
      const code = conduit === 'nobody' ? 'ENOENT' : 'ECONNREFUSED'
      await expectCode(connect(`http://${HOST}:${port}/`, { resolver: onThisHost(told) }), code)
    }
  })

  it('http://HOST/ is whatever DNS says: a conduit of this host', async () => {
    await servers.conduit('www:http')
    const hostId = await readHostId(runningStore({})!, new AbortController().signal)
    expect(hostId).to.match(/^[0-9a-f]{32}$/)
    const params = formatDiscoveryParams({ name: 'www', port: undefined, hostId: hostId! })
    const name = `_conduit.${HOST}`
    const resolver = onThisHost({ [`A ${HOST}`]: [a(HOST, '192.0.2.7')], [`SVCB ${name}`]: [svcb(name, params)] })
    const socket = await connect(`http://${HOST}/`, { resolver })
    expect(socket).to.be.instanceOf(ConduitSocket)
    expect(await echoed(socket)).to.equal('hello')
  })

  it('an endpoint is connected to as it is', async () => {
    const endpoint: Endpoint = { kind: 'tcp', address: '127.0.0.1', port: await servers.tcp() }
    expect(await echoed(await connect(endpoint))).to.equal('hello')
    await expectCode(connect({ kind: 'unknown', reason: 'moved' }), 'RESOLVER')
    await expectCode(connect({ kind: 'tcp', address: 'localhost', port: 80 }), 'EINVAL')
  })

  it('several addresses are tried in turn', async () => {
    const port = await servers.tcp()
    const resolver = resolverFor({ [`A ${HOST}`]: [a(HOST, '127.0.0.9'), a(HOST, '127.0.0.1')] })
    const socket = (await connect(`tcp://${HOST}:${port}`, { resolver })) as net.Socket
    expect(socket.remoteAddress).to.equal('127.0.0.1')
    expect(await echoed(socket)).to.equal('hello')
  })

  describe('with TLS', () => {
    it('https://HOST/ is a tls.TLSSocket that names the host and agrees on a protocol', async () => {
      const names: (string | false)[] = []
      const port = await servers.tls({ ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
        names.push((socket as tls.TLSSocket & { servername: string }).servername)
        socket.pipe(socket)
      })
      const options = { resolver: here, tls: { ca: TEST_CERTIFICATE, ALPNProtocols: ['http/1.1'] } }
      const socket = await connect(`https://${HOST}:${port}/`, options)
      expect(socket).to.be.instanceOf(tls.TLSSocket)
      expect(socket.authorized).to.equal(true)
      expect(socket.alpnProtocol).to.equal('http/1.1')
      expect(await echoed(socket)).to.equal('hello')
      expect(names).to.deep.equal([HOST])
    })

    it('an IP address is checked against the certificate and not sent as a name', async () => {
      const names: unknown[] = []
      const port = await servers.tls({}, (socket) => {
        names.push((socket as tls.TLSSocket & { servername: string | false }).servername)
        socket.pipe(socket)
      })
      const socket = await connect(`tls://127.0.0.1:${port}`, ca)
      expect(socket.authorized).to.equal(true)
      expect(await echoed(socket)).to.equal('hello')
      expect(names).to.deep.equal([false])
    })

    it('runs over a conduit', async () => {
      const port = await servers.tls()
      await servers.conduit('www:https', (socket) => {
        const inner = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        socket.pipe(inner).pipe(socket)
        inner.on('error', () => socket.destroy())
      })
      const socket = await connect('https://www.xen/', ca)
      expect(socket).to.be.instanceOf(tls.TLSSocket)
      expect(socket.authorized).to.equal(true)
      expect(await echoed(socket)).to.equal('hello')
    })

    it('runs over a unix socket', async () => {
      const port = await servers.tls()
      const path = await servers.unix((socket) => {
        socket.pipe(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })).pipe(socket)
      })
      expect(await echoed(await connect(`tls+unix://${path}?host=localhost`, ca))).to.equal('hello')
    })

    it('an unknown authority, a wrong name and a server without TLS are TLS_HANDSHAKE, with a hint', async () => {
      const port = await servers.tls()
      const plain = await servers.tcp((socket) => void socket.end('220 not TLS\r\n'))
      const unknown = await expectCode(connect(`tls://localhost:${port}`), 'TLS_HANDSHAKE')
      expect(unknown.errno).to.match(/SELF_SIGNED|UNABLE_TO_VERIFY/)
      expect(unknown.hint).to.match(/tls\.ca/)
      const wrongName = await expectCode(
        connect(`tls://other.example:${port}`, { ...ca, resolver: here }),
        'TLS_HANDSHAKE',
      )
      expect(wrongName.errno).to.equal('ERR_TLS_CERT_ALTNAME_INVALID')
      await expectCode(connect(`tls://localhost:${plain}`, ca), 'TLS_HANDSHAKE')
    })
  })

  describe('fails as a ConduitError', () => {
    it('where nobody listens', async () => {
      const port = await servers.tcp()
      await servers.close()
      servers = new EchoServers()
      const error = await expectCode(connect(`tcp://127.0.0.1:${port}`), 'ECONNREFUSED')
      expect(error).to.include({ endpoint: `tcp://127.0.0.1:${port}`, syscall: 'connect' })
      expect(error.hint).to.be.a('string')
      const resolver = resolverFor({ [`A ${HOST}`]: [a(HOST, '127.0.0.1'), a(HOST, '127.0.0.2')] })
      const both = await expectCode(connect(`http://${HOST}:${port}/`, { resolver }), 'ECONNREFUSED')
      expect(both.message).to.match(/127\.0\.0\.1.*127\.0\.0\.2/)
    })

    it('where there is no socket, or another file', async () => {
      await expectCode(connect('unix:///nonexistent/socket'), 'ENOENT')
      await expectCode(connect(`unix://${servers.directory}`), 'ECONNREFUSED')
    })

    it('where the address cannot be one, or leads nowhere', async () => {
      await expectCode(connect('tcp://127.0.0.1' as UriAddress), 'EINVAL')
      await expectCode(connect('tcp://www.xen:80'), 'ENOTFOUND')
      await expectCode(connect('http://nosuch.example/', { resolver: resolverFor({}) }), 'ENOTFOUND')
      await expectCode(connect('http://nobody.xen/'), 'ENOENT')
    })

    it('after the time limit, whatever was waited for', async () => {
      const silent = await servers.tcp(() => undefined)
      const late = await expectCode(connect(`tls://127.0.0.1:${silent}`, { timeoutMs: 50 }), 'ETIMEDOUT')
      expect(late.message).to.match(/TLS handshake/)
      const resolver = resolverFor({ [`A ${HOST}`]: 'silence', [`AAAA ${HOST}`]: 'silence' })
      const resolving = await expectCode(connect(`http://${HOST}/`, { resolver, timeoutMs: 50 }), 'ETIMEDOUT')
      expect(resolving.message).to.match(/the resolver/)
    })

    it('for messages over anything but a conduit, as a TypeError', async () => {
      const options = { mode: 'message' } as unknown as EndpointConnectOptions
      expect(await rejectionOf(connect('tcp://127.0.0.1:80', options))).to.be.instanceOf(TypeError)
    })
  })

  it('an abort rejects with the reason of the signal, at any step, and leaves no socket', async () => {
    const connected: net.Socket[] = []
    const silent = await servers.tcp((socket) => void connected.push(socket))
    const controller = new AbortController()
    const aborted = rejectionOf(connect(`tls://127.0.0.1:${silent}`, { signal: controller.signal }))
    await eventually(() => connected.length > 0)
    controller.abort(new Error('enough'))
    expect(await aborted).to.have.property('message', 'enough')
    connected[0]!.resume()
    if (!connected[0]!.readableEnded) await once(connected[0]!, 'end')
    const before = AbortSignal.abort(new Error('never'))
    for (const address of [`tcp://127.0.0.1:${silent}`, 'unix:///x', 'http://www.example.org/'] as const) {
      expect(await rejectionOf(connect(address, { signal: before }))).to.have.property('message', 'never')
    }
  })

  it('half-close is kept where it is asked for', async () => {
    const port = await servers.tcp((socket) => {
      socket.end('first')
      socket.on('data', (chunk) => received.push(String(chunk)))
    })
    const received: string[] = []
    const socket = await connect(`tcp://127.0.0.1:${port}`, { allowHalfOpen: true })
    socket.resume()
    await once(socket, 'end')
    expect(socket.writable).to.equal(true)
    socket.end('last')
    await eventually(() => received.join('') === 'last')
  })

  describe('createConnection()', () => {
    it('gives a socket of the kind that the address says, at once', async () => {
      const port = await servers.tcp()
      await servers.conduit('www')
      const byDns = resolverFor({ [`A ${HOST}`]: [a(HOST, '127.0.0.1')] })
      const kinds: [Duplex, unknown][] = [
        [createConnection(`tcp://127.0.0.1:${port}`), net.Socket],
        [createConnection(`tcp://localhost:${port}`), net.Socket],
        [createConnection(`unix://${await servers.unix()}`), net.Socket],
        [createConnection({ address: `tls://localhost:${await servers.tls()}`, ...ca }), tls.TLSSocket],
        [createConnection('www'), ConduitSocket],
        [createConnection('www.xen'), ConduitSocket],
        [createConnection('http://www.xen/'), ConduitSocket],
        [createConnection({ address: `http://${HOST}:${port}`, resolver: here }), DeferredSocket],
        [createConnection({ address: `http://${HOST}:${port}`, resolver: byDns }), DeferredSocket],
      ]
      for (const [socket, kind] of kinds) {
        expect(socket).to.be.instanceOf(kind)
        expect(await echoed(socket)).to.equal('hello')
      }
    })

    it('calls back once it stands', async () => {
      const port = await servers.tls()
      await new Promise<void>((resolve) => {
        const socket = createConnection({ address: `tls://localhost:${port}`, tls: ca.tls }, () => {
          expect(socket.authorized).to.equal(true)
          socket.destroy()
          resolve()
        })
      })
    })

    it('throws at once for what cannot be an address', () => {
      expect(() => createConnection('tcp://127.0.0.1')).to.throw(/which port/)
      expect(() => createConnection('tcp://www.xen:80')).to.throw(/no TCP address/)
      expect(() => createConnection('')).to.throw(/cannot be a name/)
      expect(() => createConnection(3 as never)).to.throw(TypeError)
    })

    it('emits what connect() rejects with', async () => {
      const resolver = resolverFor({})
      const [error] = await once(createConnection({ address: `http://${HOST}/`, resolver }), 'error')
      expect(error).to.have.property('code', 'ENOTFOUND')
      const silent = await servers.tcp(() => undefined)
      const [late] = await once(createConnection({ address: `tls://127.0.0.1:${silent}`, timeoutMs: 50 }), 'error')
      expect(late).to.have.property('code', 'ETIMEDOUT')
    })

    it('is destroyed by its signal', async () => {
      const port = await servers.tcp()
      const controller = new AbortController()
      const socket = createConnection({ address: `tcp://127.0.0.1:${port}`, signal: controller.signal })
      await once(socket, 'connect')
      controller.abort()
      const [error] = await once(socket, 'error')
      expect(error).to.have.property('name', 'AbortError')
    })
  })
}
