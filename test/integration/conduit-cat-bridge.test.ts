// conduit-cat bridge as a real process between real sockets.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { openEnvironment } from '../../src/index.js'
import { type CatProcess, CatProcesses } from '../support/cat-process.js'
import { EchoServers } from '../support/echo-servers.js'
import { eventually } from '../support/eventually.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'
import { TEST_CERTIFICATE } from '../support/test-certificate.js'

describe('conduit-cat bridge', () => {
  let world: LocalWorld
  let cats: CatProcesses
  let servers: EchoServers
  const clients: net.Socket[] = []
  beforeEach(() => {
    world = localWorld()
    cats = new CatProcesses(world.directory)
    servers = new EchoServers()
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await cats.close()
    await servers.close()
    await world.close()
  })

  const bridge = async (left: string, right: string, env: NodeJS.ProcessEnv = {}): Promise<CatProcess> => {
    const started = cats.start(['bridge', '-v', left, right], { env })
    await started.says(/listening on/)
    return started
  }
  const portOf = ({ complaints }: CatProcess): number => Number(/listening on tcp:\/\/.*:(\d+)/.exec(complaints)![1])
  const dial = (where: net.NetConnectOpts): net.Socket => {
    const client = net.connect({ ...where, allowHalfOpen: true })
    clients.push(client)
    return client
  }
  async function echoed(client: net.Socket, text: string): Promise<string> {
    client.end(text)
    return (await client.toArray()).join('')
  }
  async function failureOf(client: net.Socket): Promise<string> {
    client.resume()
    const [error] = await once(client, 'error')
    return (error as NodeJS.ErrnoException).code!
  }

  it('carries TCP to TCP, many connections at once', async () => {
    const started = await bridge('listen:tcp://127.0.0.1:0', `tcp://127.0.0.1:${await servers.tcp()}`)
    const port = portOf(started)
    const texts = Array.from({ length: 50 }, (_, i) => `client ${i}`)
    const replies = await Promise.all(texts.map((text) => echoed(dial({ port, host: '127.0.0.1' }), text)))
    expect(replies).to.deep.equal(texts)
  })

  it('carries a conduit to TCP, TCP to a conduit, and a unix socket to a command', async () => {
    await bridge('listen:web', `tcp://127.0.0.1:${await servers.tcp()}`)
    const forward = await bridge('listen:tcp://127.0.0.1:0', 'web')
    expect(await echoed(dial({ port: portOf(forward), host: '127.0.0.1' }), 'through both')).to.equal('through both')
    const path = join(servers.directory, 'listening')
    await bridge(`listen:unix://${path}`, 'exec:tr a-z A-Z')
    expect(await echoed(dial({ path }), 'shout')).to.equal('SHOUT')
  })

  it('is stdin and stdout on either side', async () => {
    const started = cats.start(['bridge', '-', `tcp://127.0.0.1:${await servers.tcp()}`])
    started.stdin.end('hello')
    expect(await started.ended, started.complaints).to.equal(0)
    expect(started.output).to.equal('hello')
    const listening = await bridge('listen:tcp://127.0.0.1:0', '-')
    const client = dial({ port: portOf(listening), host: '127.0.0.1' })
    listening.stdin.end('from stdin')
    expect(await echoed(client, 'to stdout')).to.equal('from stdin')
    expect(await listening.ended, listening.complaints).to.equal(0)
    expect(listening.output).to.equal('to stdout')
  })

  it('keeps half-close both ways', async () => {
    const port = await servers.tcp((socket) => {
      socket.end('first')
      socket.on('data', (chunk) => received.push(String(chunk)))
      socket.on('end', () => received.push('end'))
    })
    const received: string[] = []
    await bridge('listen:web', `tcp://127.0.0.1:${port}`)
    const forward = await bridge('listen:tcp://127.0.0.1:0', 'web')
    const client = dial({ port: portOf(forward), host: '127.0.0.1' })
    const got: string[] = []
    client.on('data', (data) => got.push(String(data)))
    await once(client, 'end')
    expect(got.join('')).to.equal('first')
    expect(client.writable).to.equal(true)
    client.end('last')
    await eventually(() => received.at(-1) === 'end')
    expect(received.join('')).to.equal('lastend')
  })

  it('a reset of one side is a reset of the other, through a conduit too', async () => {
    const accepted: net.Socket[] = []
    const port = await servers.tcp((socket) => {
      accepted.push(socket)
      socket.write('here')
    })
    await bridge('listen:web', `tcp://127.0.0.1:${port}`)
    for (const right of ['web', `tcp://127.0.0.1:${port}`]) {
      const forward = portOf(await bridge('listen:tcp://127.0.0.1:0', right))
      const first = dial({ port: forward, host: '127.0.0.1' })
      await once(first, 'data')
      const reset = failureOf(accepted.at(-1)!)
      first.resetAndDestroy()
      expect(await reset).to.equal('ECONNRESET')
    }
    const listening = portOf(await bridge('listen:tcp://127.0.0.1:0', 'web'))
    const second = dial({ port: listening, host: '127.0.0.1' })
    await once(second, 'data')
    accepted.at(-1)!.resetAndDestroy()
    expect(await failureOf(second)).to.equal('ECONNRESET')
  })

  it('a right side that cannot be reached resets that client alone, and is told on stderr', async () => {
    const path = join(servers.directory, 'later')
    const started = await bridge('listen:tcp://127.0.0.1:0', `unix://${path}`)
    const port = portOf(started)
    expect(await failureOf(dial({ port, host: '127.0.0.1' }))).to.equal('ECONNRESET')
    await started.says(/ENOENT: connect to unix:/)
    const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(path)
    await once(server, 'listening')
    expect(await echoed(dial({ port, host: '127.0.0.1' }), 'now')).to.equal('now')
    server.close()
  })

  it('holds a sender back whose reader reads nothing', async () => {
    const accepted: net.Socket[] = []
    const port = await servers.tcp((socket) => {
      if (accepted.push(socket) === 1) socket.pause()
      else socket.pipe(socket)
    })
    const started = await bridge('listen:tcp://127.0.0.1:0', `tcp://127.0.0.1:${port}`)
    const client = dial({ port: portOf(started), host: '127.0.0.1' })
    await once(client, 'connect')
    const chunk = Buffer.alloc(1024 * 1024, 1)
    const total = 64
    let handedOn = 0
    for (let i = 0; i < total; i++) client.write(chunk, () => handedOn++)
    client.end()
    await eventually(() => accepted.length === 1 && handedOn > 0)
    // Each round trip through the same bridge gives it a turn to take more than it should.
    const other = dial({ port: portOf(started), host: '127.0.0.1' })
    for (let trip = 0; trip < 2000; trip++) {
      other.write('x')
      await once(other, 'data')
    }
    // What the kernel holds and the bridge's own buffers are far less than what was written.
    expect(handedOn).to.be.lessThan(total / 2)
    let bytes = 0
    accepted[0]!.on('data', ({ length }: Buffer) => {
      bytes += length
    })
    accepted[0]!.resume()
    await once(accepted[0]!, 'end')
    expect(bytes).to.equal(total * chunk.length)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`${signal} resets the connections, removes the socket and ends`, async () => {
      const path = join(servers.directory, 'listening')
      const started = await bridge(`listen:unix://${path}`, `tcp://127.0.0.1:${await servers.tcp()}`)
      const client = dial({ path })
      client.write('hello')
      await once(client, 'data')
      started.kill(signal)
      expect(await started.ended).to.equal(signal === 'SIGTERM' ? 143 : 130)
      expect(existsSync(path)).to.equal(false)
      client.on('error', () => undefined).resume()
      if (!client.readableEnded) await once(client, 'end')
    })
  }

  it('a command is ended when its client resets', async () => {
    const started = await bridge('listen:tcp://127.0.0.1:0', 'exec:echo $$; exec sleep 1000')
    const client = dial({ port: portOf(started), host: '127.0.0.1' })
    const [data] = await once(client, 'data')
    client.resetAndDestroy()
    await started.says(/ECONNRESET/)
    await eventually(() => !existsSync(`/proc/${String(data).trim()}`))
  })

  it('replaces a stale socket, and neither one that is listened on nor another file', async () => {
    const path = join(servers.directory, 'stale')
    const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    await once(spawn(process.execPath, ['-e', program]), 'close')
    expect(existsSync(path)).to.equal(true)
    await bridge(`listen:unix://${path}`, 'exec:cat')
    expect(await echoed(dial({ path }), 'fresh')).to.equal('fresh')
    const file = join(servers.directory, 'file')
    writeFileSync(file, 'mine')
    for (const taken of [path, file]) {
      const second = cats.start(['bridge', `listen:unix://${taken}`, 'exec:cat'])
      expect(await second.ended).to.equal(1)
      expect(second.complaints).to.match(/^conduit-cat: EADDRINUSE: listen on unix:[^\n]+\n$/)
      expect(second.complaints).to.contain(taken)
    }
    expect(existsSync(file)).to.equal(true)
    expect(await echoed(dial({ path }), 'still')).to.equal('still')
  })

  it('carries any of them to TLS, and half-close with it', async () => {
    const authority = join(world.directory, 'authority.pem')
    writeFileSync(authority, TEST_CERTIFICATE)
    const right = `tls://localhost:${await servers.tls({ allowHalfOpen: true })}`
    const started = await bridge('listen:tcp://127.0.0.1:0', right, { NODE_EXTRA_CA_CERTS: authority })
    const text = 'x'.repeat(2 ** 20)
    expect(await echoed(dial({ port: portOf(started), host: '127.0.0.1' }), text)).to.equal(text)
  })

  it('resets the client where the certificate is nobody’s that is trusted, and says so', async () => {
    const started = await bridge('listen:tcp://127.0.0.1:0', `tls://localhost:${await servers.tls()}`)
    expect(await failureOf(dial({ port: portOf(started), host: '127.0.0.1' }))).to.equal('ECONNRESET')
    await started.says(/^conduit-cat: [A-Z_]+: .*certificate/m)
  })

  it('listens at vchan:// for a name, and for one domain in libxenvchan’s way', async () => {
    const right = `tcp://127.0.0.1:${await servers.tcp()}`
    const environment = await openEnvironment({ backend: 'local', runtimeDir: world.directory })
    try {
      await bridge(`listen:vchan://${environment.domid}/direct`, right)
      const served = environment.domid + 1
      await bridge('listen:vchan://web/http', right)
      for (const address of [`vchan://${served}/direct`, 'vchan://web/http'] as const) {
        const socket = await environment.connect(address, { allowHalfOpen: true })
        socket.write('hello')
        expect(String((await once(socket, 'data'))[0])).to.equal('hello')
        socket.destroy()
      }
    } finally {
      await environment.close()
    }
  })

  it('names the address that is taken', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
    const started = cats.start(['bridge', `listen:${address}`, 'exec:cat'])
    expect(await started.ended).to.equal(1)
    expect(started.complaints).to.contain(`EADDRINUSE: listen on ${address}`)
    server.close()
  })

  it('refuses what cannot be meant with status 2', async () => {
    const wrong = [
      ['-', '-'],
      ['tcp://127.0.0.1:1', 'listen:web'],
      [`listen:unix:///${'x'.repeat(107)}`, '-'],
      ['listen:unix://relative', '-'],
      ['listen:tcp://example.org:80', '-'],
      ['listen:tcp://127.0.0.1:65536', '-'],
      ['listen:tcp://127.0.0.1', '-'],
      ['listen:a..b', '-'],
      ['exec:', 'web'],
      ['tcp://127.0.0.1', 'web'],
      ['web'],
    ]
    for (const args of wrong) {
      const started = cats.start(['bridge', ...args], { stdin: 'ignore' })
      expect(await started.ended, args.join(' ')).to.equal(2)
      expect(started.complaints).to.match(/^conduit-cat: [^\n]+\n$/)
    }
  })

  describe('its simple form, conduit-cat ADDRESS', () => {
    it('talks to TCP, unix sockets and names of hosts', async () => {
      const addresses = [
        `tcp://127.0.0.1:${await servers.tcp()}`,
        `unix://${await servers.unix()}`,
        'http://hello.xen/',
      ]
      const listener = await cats.listen(['-l', 'hello', '-e', 'cat'], { stdin: 'ignore' })
      for (const address of addresses) {
        const started = cats.start([address])
        started.stdin.end('hello')
        expect(await started.ended, started.complaints).to.equal(0)
        expect(started.output).to.equal('hello')
      }
      expect(await listener.ended).to.equal(0)
    })

    it('only connects with -z, and runs a command with -e, whose status it has', async () => {
      const received: string[] = []
      const address = `tcp://127.0.0.1:${await servers.tcp((socket) => {
        socket.on('data', (data) => received.push(String(data)))
        socket.on('end', () => {
          received.push('end')
          socket.end()
        })
      })}`
      const touched = cats.start(['-zv', address])
      expect(await touched.ended).to.equal(0)
      expect(touched.complaints).to.match(/connected in/)
      const ran = cats.start([address, '-e', 'echo from command; exit 7'])
      expect(await ran.ended).to.equal(7)
      expect(received.join('')).to.equal('endfrom command\nend')
    })

    it('ends with 1 where nobody listens, or the other side resets, and 2 for options of conduits', async () => {
      const port = await servers.tcp((socket) => void socket.once('data', () => socket.resetAndDestroy()))
      const reset = cats.start([`tcp://127.0.0.1:${port}`])
      reset.stdin.write('hello')
      expect(await reset.ended).to.equal(1)
      expect(reset.complaints).to.match(/^conduit-cat: ECONNRESET: [^\n]+\n$/)
      for (const args of [[], ['-z']]) {
        const refused = cats.start(['unix:///nonexistent/socket', ...args])
        expect(await refused.ended).to.equal(1)
        expect(refused.complaints).to.match(/^conduit-cat: ENOENT: [^\n]+\n$/)
      }
      const wrong = cats.start(['-l', 'tcp://127.0.0.1:1'])
      expect(await wrong.ended).to.equal(2)
    })
  })
})
