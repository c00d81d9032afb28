// HTTP over whatever a URL's host leads to: node's http and https with our Agents, undici and fetch with our connector.
import { once } from 'node:events'
import http, { type IncomingMessage, type RequestListener } from 'node:http'
import https from 'node:https'
import type net from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { Agent, type buildConnector, request } from 'undici'
import {
  ConduitAgent,
  ConduitHttpsAgent,
  type ConduitServer,
  ConduitSocket,
  conduitConnector,
  createServer,
} from '../../src/index.js'
import { Resolver } from '../../src/resolver/resolver.js'
import { DnsZone } from '../support/dns-zone.js'
import { setVariables } from '../support/environment-variables.js'
import { eventually } from '../support/eventually.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'
import { TEST_CERTIFICATE, TEST_KEY } from '../support/test-certificate.js'
import { describeWithAddon } from '../support/with-addon.js'

describeWithAddon(() => {
  describe('HTTP by name', suite)
})

/** Tells what it was asked, and by which kind of socket. */
const tell: RequestListener = (incoming, response) => {
  const { method, url, headers, socket } = incoming
  const over = (socket as unknown) instanceof ConduitSocket ? 'conduit' : 'socket'
  incoming.resume().on('end', () => response.end(`${method} ${url} ${headers.host} by ${over}`))
}

async function bodyOf(outgoing: http.ClientRequest): Promise<string> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return (await response.toArray()).join('')
}

function suite(): void {
  let world: LocalWorld
  let restore: () => void
  let web: http.Server
  let secure: https.Server
  let conduits: ConduitServer[]
  const resolver = new Resolver({ rules: { '': '127.0.0.1' } })
  const tls = { key: TEST_KEY, cert: TEST_CERTIFICATE }
  const portOf = (server: net.Server): number => (server.address() as AddressInfo).port

  before(() => {
    world = localWorld()
    restore = setVariables({ CONDUIT_RUNTIME_DIR: world.directory, CONDUIT_BACKEND: 'local', CONDUIT_DNS: '192.0.2.1' })
  })
  after(async () => {
    await world.close()
    restore()
  })
  beforeEach(async () => {
    web = http.createServer(tell).listen(0, '127.0.0.1')
    secure = https.createServer(tls, tell).listen(0, '127.0.0.1')
    await Promise.all([once(web, 'listening'), once(secure, 'listening')])
    const plain = createServer({ allowHalfOpen: true }, (socket) => void web.emit('connection', socket))
    const overTls = createServer({ allowHalfOpen: true }, (socket) => void secure.emit('connection', socket))
    conduits = [plain, overTls]
    await plain.listen('www:http')
    await overTls.listen('www:https')
  })
  afterEach(async () => {
    for (const server of [web, secure]) {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
    await Promise.all(conduits.map((server) => server.destroy()))
  })

  describe('with ConduitAgent', () => {
    it('http://www.xen/ goes through shared memory, several requests over one connection', async () => {
      const agent = new ConduitAgent({ keepAlive: true, maxSockets: 1 })
      const sockets = new Set<unknown>()
      for (const path of ['/a', '/b', '/c']) {
        const outgoing = http.get(`http://www.xen${path}`, { agent })
        outgoing.on('socket', (socket) => sockets.add(socket))
        expect(await bodyOf(outgoing)).to.equal(`GET ${path} www.xen by conduit`)
      }
      expect(sockets.size).to.equal(1)
      agent.destroy()
    })

    it('a body of a megabyte arrives', async () => {
      const agent = new ConduitAgent()
      const outgoing = http.request('http://www.xen/', { agent, method: 'POST' })
      outgoing.end(Buffer.alloc(1 << 20))
      expect(await bodyOf(outgoing)).to.equal('POST / www.xen by conduit')
      agent.destroy()
    })

    it('other hosts go by TCP, at their port', async () => {
      const agent = new ConduitAgent({ resolver })
      const host = `www.example.org:${portOf(web)}`
      expect(await bodyOf(http.get(`http://${host}/`, { agent }))).to.equal(`GET / ${host} by socket`)
      expect(await bodyOf(http.get(`http://127.0.0.1:${portOf(web)}/`, { agent }))).to.match(/by socket$/)
      agent.destroy()
    })

    it('a host that leads nowhere is an error of the request', async () => {
      const agent = new ConduitAgent()
      const [error] = await once(http.get('http://nobody.xen/', { agent }), 'error')
      expect(error).to.have.property('code', 'ENOENT')
      agent.destroy()
    })

    it('an abort ends a request that is still connecting', async () => {
      const zone = new DnsZone({ 'A www.example.org': 'silence', 'AAAA www.example.org': 'silence' })
      const silent = new Resolver({ servers: ['192.0.2.1'], queryDns: zone.query })
      const agent = new ConduitAgent({ resolver: silent })
      const controller = new AbortController()
      const outgoing = http.get('http://www.example.org/', { agent, signal: controller.signal })
      controller.abort()
      const [error] = await once(outgoing, 'error')
      expect(error).to.have.property('name', 'AbortError')
      await eventually(() => zone.waiting === 0)
      agent.destroy()
    })
  })

  describe('with ConduitHttpsAgent', () => {
    it('https://www.xen/ is TLS over shared memory', async () => {
      const agent = new ConduitHttpsAgent({ ca: TEST_CERTIFICATE, keepAlive: true })
      expect(await bodyOf(https.get('https://www.xen/', { agent }))).to.match(/^GET \/ www\.xen by /)
      agent.destroy()
    })

    it('other hosts are TLS over TCP, their names checked', async () => {
      const agent = new ConduitHttpsAgent({ ca: TEST_CERTIFICATE, resolver })
      const good = `https://www.example.org:${portOf(secure)}/`
      expect(await bodyOf(https.get(good, { agent }))).to.match(/by socket$/)
      const [error] = await once(https.get(`https://evil.example:${portOf(secure)}/`, { agent }), 'error')
      expect(error).to.have.property('code', 'ERR_TLS_CERT_ALTNAME_INVALID')
      agent.destroy()
    })
  })

  describe('with conduitConnector() in undici', () => {
    it('http://www.xen/ goes through shared memory', async () => {
      const connector: buildConnector.connector = conduitConnector()
      const agent = new Agent({ connect: connector })
      const { body } = await request('http://www.xen/', { dispatcher: agent })
      expect(await body.text()).to.equal('GET / www.xen by conduit')
      await agent.close()
    })

    it('https://www.xen/, TCP and IPv6 hosts go where they lead', async () => {
      const agent = new Agent({ connect: conduitConnector({ resolver, tls: { ca: TEST_CERTIFICATE } }) })
      const xen = new Agent({ connect: conduitConnector({ tls: { ca: TEST_CERTIFICATE } }) })
      const get = async (url: string, dispatcher: Agent) => (await request(url, { dispatcher })).body.text()
      expect(await get('https://www.xen/', xen)).to.match(/^GET \/ www\.xen/)
      expect(await get(`https://www.example.org:${portOf(secure)}/`, agent)).to.match(/by socket$/)
      expect(await get(`http://www.example.org:${portOf(web)}/`, agent)).to.match(/by socket$/)
      const error = await rejectionOf(get('http://[::1]:1/', agent))
      expect(error).to.have.property('endpoint', 'http://[::1]:1/')
      await Promise.all([agent.close(), xen.close()])
    })

    it('a host that leads nowhere rejects the request with the code', async () => {
      const agent = new Agent({ connect: conduitConnector() })
      const error = await rejectionOf(request('http://nobody.xen/', { dispatcher: agent }))
      expect(error).to.have.property('code', 'ENOENT')
      await agent.close()
    })
  })
}
