// What the rendezvous does on every substrate: one body, run on each world.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import type { Conduit } from '../../src/conduit/conduit.js'
import type { DroppedConnection } from '../../src/conduit/server-options.js'
import { isConduitError } from '../../src/errors.js'
import type { ConduitMessageSocket } from '../../src/vchan/message-socket.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import type { ConduitWorld } from '../support/conduit-world.js'
import { eventually, turns } from '../support/eventually.js'

const echo = (socket: ConduitSocket) => void socket.on('error', () => undefined).pipe(socket)

/** The code that `promise` rejects with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => {
      if (!isConduitError(error)) return String(error)
      expect(error.hint, error.code).to.be.a('string')
      return error.code
    },
  )
}

const roundTrip = async (socket: ConduitSocket, message: string): Promise<string> => {
  socket.end(message)
  return text(socket)
}

export function describeRendezvous(title: string, startWorld: () => Promise<ConduitWorld>): void {
  describe(title, () => {
    let world: ConduitWorld
    let server: Conduit
    let client: Conduit

    beforeEach(async () => {
      world = await startWorld()
      server = await world.environment()
      client = await world.environment()
    })
    afterEach(() => world.close())

    describe('connect', () => {
      it('finds a server by name and exchanges bytes', async () => {
        await server.createServer(echo).listen('echo')
        expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
      })

      it('reaches a server of its own domain', async () => {
        await server.createServer(echo).listen('echo')
        expect(await roundTrip(await server.connect('echo'), 'hello')).to.equal('hello')
      })

      it('an async listener whose connection is lost costs that connection, and not the process', async () => {
        const listening = server.createServer({ mode: 'message' }, async (socket) => {
          for await (const message of socket as ConduitMessageSocket) (socket as ConduitMessageSocket).send(message)
        })
        await listening.listen('echo')
        for (let round = 0; round < 3; round++) {
          const socket = await client.connect('echo', { mode: 'message' })
          socket.send('hello')
          expect(String(await socket.receive())).to.equal('hello')
          socket.destroy()
        }
        await eventually(() => listening.connections === 0)
      })

      it('refuses a limit that no timer can hold, rather than firing at once', async () => {
        const connecting = client.connect('echo', { wait: true, timeoutMs: 3e9 })
        expect(await connecting.catch((error: unknown) => error)).to.be.instanceOf(RangeError)
      })

      it('says that a closed server is closed', async () => {
        const closed = server.createServer(echo)
        await closed.listen('echo')
        await closed.close()
        expect(() => closed.listen('echo')).to.throw(TypeError, 'was closed')
      })

      it('takes every spelling of a name', async () => {
        await server.createServer(echo).listen('echo')
        for (const address of ['ECHO', 'echo:http', 'vchan://echo', 'vchan://echo/http', 'vchan://Echo:80']) {
          expect(await roundTrip(await client.connect(address), address)).to.equal(address)
        }
      })

      it('opens many connections of one client to one name at a time', async () => {
        await server.createServer(echo).listen('echo')
        const sockets = await Promise.all(Array.from({ length: 200 }, () => client.connect('echo')))
        const answers = await Promise.all(sockets.map((socket, i) => roundTrip(socket, `connection ${i}`)))
        expect(answers).to.deep.equal(sockets.map((_, i) => `connection ${i}`))
      })

      it('lets many domains connect to one name at the same moment', async () => {
        await server.createServer(echo).listen('echo')
        const clients = await Promise.all(Array.from({ length: 50 }, () => world.environment()))
        const answers = await Promise.all(clients.map(async (one, i) => roundTrip(await one.connect('echo'), `${i}`)))
        expect(answers).to.deep.equal(clients.map((_, i) => `${i}`))
      })

      it('fails with ENOENT at once when nobody holds the name', async () => {
        expect(await codeOf(client.connect('nobody'))).to.equal('ENOENT')
      })

      it('waits for the name when asked to', async () => {
        const waiting = client.connect('late', { wait: true })
        await turns()
        await server.createServer(echo).listen('late')
        expect(await roundTrip(await waiting, 'hello')).to.equal('hello')
      })

      it('rejects with the reason of its signal while it waits, and leaves nothing', async () => {
        const controller = new AbortController()
        const reason = new Error('enough')
        const waiting = client.connect('late', { wait: true, signal: controller.signal })
        await turns()
        controller.abort(reason)
        expect(await waiting.catch((error: unknown) => error)).to.equal(reason)
      })

      it('rejects with the reason of a signal that was aborted before', async () => {
        const reason = new Error('enough')
        expect(await client.connect('x', { signal: AbortSignal.abort(reason) }).catch((e: unknown) => e)).to.equal(
          reason,
        )
      })

      it('fails with ECONNREFUSED on a port that nobody listens on', async () => {
        await server.createServer(echo).listen('echo:http')
        expect(await codeOf(client.connect('echo:smtp'))).to.equal('ECONNREFUSED')
        expect(await codeOf(client.connect('echo'))).to.equal('ECONNREFUSED')
        expect(await roundTrip(await client.connect('echo:http'), 'hello')).to.equal('hello')
      })

      it('says who is at the other end', async () => {
        const serving = server.createServer()
        const connection = once(serving, 'connection') as Promise<[ConduitSocket]>
        await serving.listen('echo:http')
        const socket = await client.connect('echo:http')
        const [accepted] = await connection
        expect(socket).to.include({
          remoteAddress: 'echo',
          remotePort: 'http',
          localAddress: `vchan://${client.domid}`,
        })
        expect(accepted).to.include({
          remoteAddress: `vchan://${client.domid}`,
          localAddress: 'echo',
          localPort: 'http',
        })
      })

      it('has the ring that the client asked for, or else the server', async () => {
        await server.createServer({ ringBytes: 8192 }, echo).listen('echo')
        const [chosen, left] = [await client.connect('echo', { ringBytes: 1 << 20 }), await client.connect('echo')]
        expect(chosen.channel).to.include({ readRingBytes: 1 << 20, writeRingBytes: 1 << 20 })
        expect(left.channel).to.include({ readRingBytes: 8192, writeRingBytes: 8192 })
      })

      it('refuses options that cannot be at once', async () => {
        let connections = 0
        const listening = server.createServer((socket) => {
          socket.on('error', () => undefined)
          connections++
        })
        await listening.listen('echo')
        const sizes = [{ ringBytes: 1023 }, { ringBytes: 1 << 21 }, { timeoutMs: -1 }, { spinMicros: Number.NaN }]
        const limits = [{ highWaterMark: -1 }, { mode: 'message', maxMessageBytes: Number.NaN }, { timeoutMs: 2 ** 40 }]
        for (const options of [...sizes, ...limits] as object[]) {
          expect(await client.connect('echo', options).catch((error: unknown) => error)).to.be.instanceOf(RangeError)
        }
        const shapes = [{ mode: 'tcp' }, { ringBytes: '4096' }, { onread: {} }, { onread: 5 }, { highWaterMark: '1' }]
        for (const options of shapes as object[]) {
          expect(await client.connect('echo', options).catch((error: unknown) => error)).to.be.instanceOf(TypeError)
        }
        expect(await client.connect(7 as never).catch((error: unknown) => error)).to.be.instanceOf(TypeError)
        expect(() => client.createConnection({ address: 'echo', ringBytes: 1023 })).to.throw(RangeError)
        // And nothing was opened for any of them.
        const good = await client.connect('echo')
        good.on('error', () => undefined)
        await eventually(() => connections > 0)
        expect(connections).to.equal(1)
        good.destroy()
      })

      it('refuses an address that cannot be one with a code and a hint, and the process lives on', async () => {
        for (const address of ['', 'a.b', 'a b', '-', '7', 'x'.repeat(64), 'é', 'flows', 'a:', 'vchan://9/a b']) {
          expect(await codeOf(client.connect(address)), address).to.equal('CONDUIT_NAME')
        }
        for (const address of ['tcp://127.0.0.1:80', 'unix:///tmp/x', 'exec:cat']) {
          expect(await codeOf(client.connect(address)), address).to.equal('EINVAL')
        }
      })

      it('traces its start and end, and its failure', async () => {
        await server.createServer(echo).listen('echo')
        const heard: string[] = []
        const names = ['start', 'asyncEnd', 'error'].map((name) => `tracing:conduit:connect:${name}`)
        const listen = (message: unknown, name: string | symbol) => {
          heard.push(`${String(name).split(':').at(-1)} ${(message as { address: string }).address}`)
        }
        for (const name of names) subscribe(name, listen)
        try {
          ;(await client.connect('echo:http')).destroy()
          await codeOf(client.connect('nobody'))
        } finally {
          for (const name of names) unsubscribe(name, listen)
        }
        expect(heard).to.deep.equal([
          'start echo:http',
          'asyncEnd echo:http',
          'start nobody',
          'error nobody',
          'asyncEnd nobody',
        ])
      })
    })

    describe('createConnection', () => {
      it('gives a socket at once, which connects and keeps what was written meanwhile', async () => {
        await server.createServer(echo).listen('echo')
        const socket = client.createConnection('echo')
        expect(socket.connecting).to.equal(true)
        socket.end('hello')
        await once(socket, 'connect')
        expect(socket).to.include({ connecting: false, remoteAddress: 'echo', localAddress: `vchan://${client.domid}` })
        expect(await text(socket)).to.equal('hello')
      })

      it('emits what connect would reject with', async () => {
        const socket = client.createConnection({ address: 'nobody' })
        const closed = new Promise((resolve) => socket.once('close', resolve))
        const [error] = await once(socket, 'error')
        await closed
        expect(isConduitError(error, 'ENOENT')).to.equal(true)
      })

      it('leaves nothing when it is destroyed on the way', async () => {
        await server.createServer(echo).listen('echo')
        const socket = client.createConnection('echo')
        await turns(3)
        socket.destroy()
        await once(socket, 'close')
      })
    })

    describe('message mode', () => {
      it('delivers messages whole', async () => {
        const serving = server.createServer({ mode: 'message' }, (socket: ConduitMessageSocket) => {
          socket.on('message', (message) => socket.send(message))
        })
        await serving.listen('echo')
        const socket = await client.connect('echo', { mode: 'message' })
        socket.send('one')
        socket.send('two')
        expect(String(await socket.receive())).to.equal('one')
        expect(String(await socket.receive())).to.equal('two')
      })

      it('is agreed on: the other mode is refused with CONDUIT_MODE', async () => {
        await server.createServer({ mode: 'message' }).listen('messages')
        await server.createServer().listen('stream')
        expect(await codeOf(client.connect('messages'))).to.equal('CONDUIT_MODE')
        expect(await codeOf(client.connect('stream', { mode: 'message' }))).to.equal('CONDUIT_MODE')
      })
    })

    describe('listen', () => {
      it('refuses options that are none', () => {
        for (const options of [5, 'echo', true]) expect(() => server.createServer(options as never)).to.throw(TypeError)
        expect(server.createServer(null as never).listening).to.equal(false)
      })

      it('tells where it listens', async () => {
        const serving = server.createServer(echo)
        expect(serving.address()).to.equal(null)
        const listening = once(serving, 'listening')
        await serving.listen('echo:http')
        await listening
        expect(serving.listening).to.equal(true)
        expect(serving.address()).to.deep.equal({
          address: 'echo:http',
          name: 'echo',
          port: 'http',
          domid: server.domid,
        })
        expect(await client.names()).to.deep.equal([{ name: 'echo', domid: server.domid }])
      })

      it('fails with EADDRINUSE when another domain, or this one, listens there', async () => {
        await server.createServer().listen('echo')
        expect(await codeOf(client.createServer().listen('echo'))).to.equal('EADDRINUSE')
        expect(await codeOf(client.createServer().listen('echo:http'))).to.equal('EADDRINUSE')
        expect(await codeOf(server.createServer().listen('echo'))).to.equal('EADDRINUSE')
      })

      it('takes several ports of a name in one domain, the particular before the general', async () => {
        const named = (name: string) => (socket: ConduitSocket) => void socket.end(name)
        await server.createServer(named('any')).listen('web')
        await server.createServer(named('http')).listen('web:http')
        await server.createServer(named('smtp')).listen('web:smtp')
        const answers = ['web', 'web:http', 'web:smtp', 'web:other'].map(async (to) => text(await client.connect(to)))
        expect(await Promise.all(answers)).to.deep.equal(['any', 'http', 'smtp', 'any'])
      })

      it('gives the name back when the last of its ports is closed', async () => {
        const [http, smtp] = [server.createServer(), server.createServer()]
        await http.listen('web:http')
        await smtp.listen('web:smtp')
        await http.close()
        expect((await client.names()).map(({ name }) => name)).to.deep.equal(['web'])
        await smtp.close()
        await eventually(async () => (await client.names()).length === 0)
        await client.createServer().listen('web')
      })

      it('can listen again on a name just given back', async () => {
        for (let i = 0; i < 3; i++) {
          const serving = server.createServer(echo)
          await serving.listen('echo')
          expect(await roundTrip(await client.connect('echo', { wait: true }), `${i}`)).to.equal(`${i}`)
          await serving.close()
        }
      })

      it('waits for a name that this domain is just giving back', async () => {
        let serving = server.createServer(echo)
        await serving.listen('echo')
        for (let turn = 0; turn < 10; turn++) {
          const closing = serving.close()
          await turns(turn)
          serving = server.createServer(echo)
          await serving.listen('echo')
          await closing
          expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
        }
      })

      it('emits an error for who listens for it, and rejects all the same', async () => {
        await client.createServer().listen('echo')
        const serving = server.createServer()
        const errors: unknown[] = []
        serving.on('error', (error) => errors.push(error))
        expect(await codeOf(serving.listen('echo'))).to.equal('EADDRINUSE')
        await turns(1)
        expect(errors.map((error) => isConduitError(error, 'EADDRINUSE'))).to.deep.equal([true])
      })

      it('may be tried again after a failure, and not while it listens', async () => {
        const first = client.createServer()
        await first.listen('echo')
        const serving = server.createServer(echo)
        expect(await codeOf(serving.listen('echo'))).to.equal('EADDRINUSE')
        await first.close()
        await serving.listen('echo')
        expect(() => serving.listen('other')).to.throw(TypeError)
        expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
      })

      it('refuses a name that cannot be one, and a reserved one', async () => {
        expect(() => server.createServer().listen('a.b'))
          .to.throw()
          .with.property('code', 'CONDUIT_NAME')
        expect(await codeOf(server.createServer().listen('jitsud'))).to.equal('EACCES')
      })

      it('holds 16 names for a domain, and says so to the 17th', async () => {
        await Promise.all(Array.from({ length: 16 }, (_, i) => server.createServer().listen(`name-${i}`)))
        expect(await codeOf(server.createServer().listen('one-more'))).to.equal('XENSTORE_QUOTA')
      })

      it('drops connections over maxConnections and says so', async () => {
        const serving = server.createServer({ maxConnections: 1 }, echo)
        const drops: DroppedConnection[] = []
        serving.on('drop', (drop) => drops.push(drop))
        await serving.listen('echo')
        const first = await client.connect('echo')
        expect(await codeOf(client.connect('echo:http'))).to.equal('ECONNREFUSED')
        expect(drops).to.deep.equal([{ name: 'echo', port: 'http', domid: client.domid }])
        expect(serving.connections).to.equal(1)
        first.destroy()
        await eventually(() => serving.connections === 0)
        expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
      })

      it('gives sockets to who iterates, also those that came before', async () => {
        const serving = server.createServer()
        await serving.listen('echo')
        ;(await client.connect('echo')).end('first')
        await eventually(() => serving.connections === 1)
        const seen: string[] = []
        for await (const socket of serving) {
          seen.push(await text(socket as ConduitSocket))
          if (seen.length === 1) (await client.connect('echo')).end('second')
          else void serving.close()
        }
        expect(seen).to.deep.equal(['first', 'second'])
      })

      it('closes when its connections have ended, and refuses others from the start', async () => {
        const serving = server.createServer(echo)
        await serving.listen('echo')
        const socket = await client.connect('echo')
        let closed = false
        const closing = serving.close().then(() => {
          closed = true
        })
        expect(await codeOf(client.connect('echo'))).to.equal('ECONNREFUSED')
        expect(closed).to.equal(false)
        expect(await roundTrip(socket, 'hello')).to.equal('hello')
        await closing
        expect(await codeOf(client.connect('echo'))).to.equal('ENOENT')
      })

      it('closes once, whoever asks', async () => {
        const serving = server.createServer(echo)
        let closes = 0
        serving.on('close', () => closes++)
        await serving.listen('echo')
        await Promise.all([serving.close(), serving.close()])
        await serving[Symbol.asyncDispose]()
        expect(closes).to.equal(1)
        await server.createServer().close()
      })

      it('can be closed while it asks for the name', async () => {
        const serving = server.createServer(echo)
        const listening = codeOf(serving.listen('echo'))
        await serving.close()
        expect(await listening).to.equal('ECONNRESET')
      })
    })

    describe('the store', () => {
      it('holds one node for an open connection: its flow', async () => {
        const serving = server.createServer(echo)
        await serving.listen('web')
        const before = await world.leftovers()
        const socket = await client.connect('web:http')
        const path = `/conduit/flows/${server.domid}`
        const [flow] = await eventually(async () => {
          const ids = await world.dom0.directory(path)
          return ids.length > 0 ? ids : undefined
        })
        await eventually(async () => {
          const now = (await world.leftovers()).filter((node) => !before.includes(node))
          return now.filter((node) => /[0-9a-f]{12}/.test(node)).join() === `${path}/${flow}`
        })
        expect(await world.dom0.readText(`${path}/${flow}`)).to.equal(
          `(established (client ${client.domid}) (name web) (port http))`,
        )
        expect(await server.flows()).to.deep.include({
          state: 'established',
          client: client.domid,
          name: 'web',
          port: 'http',
          server: server.domid,
          connectionId: flow,
        })
        expect(await client.flows()).to.deep.equal([])
        socket.destroy()
        await eventually(async () => (await world.dom0.directory(path)).length === 0)
      })

      it('keeps nothing of a thousand connections', async () => {
        await server.createServer(echo).listen('echo')
        await roundTrip(await client.connect('echo'), 'x')
        for (let i = 0; i < 1000; i += 50) {
          await Promise.all(Array.from({ length: 50 }, async () => roundTrip(await client.connect('echo'), 'x')))
        }
        await eventually(async () => {
          const left = (await world.leftovers()).filter((path) => /[0-9a-f]{12}/.test(path))
          return left.length === 0
        })
      })
    })

    describe('vchan://DOMID/PORT', () => {
      it('serves one client without a name', async () => {
        await server.createServer(echo).listen(`vchan://${client.domid}/http`)
        const socket = await client.connect(`vchan://${server.domid}/http`)
        expect(await roundTrip(socket, 'hello')).to.equal('hello')
        // The keys go when the client is there, which the first bytes may outrun.
        const keys = `/local/domain/${server.domid}/data/vchan/${client.domid}/http`
        await eventually(async () => !(await world.dom0.exists(keys)))
        expect(await codeOf(client.connect(`vchan://${server.domid}/http`))).to.equal('ENOENT')
      })

      it('is for that client only', async () => {
        const other = await world.environment()
        await server.createServer(echo).listen(`vchan://${client.domid}/http`)
        expect(await codeOf(other.connect(`vchan://${server.domid}/http`))).to.equal('ENOENT')
      })

      it('can be waited for', async () => {
        const waiting = client.connect(`vchan://${server.domid}/http`, { wait: true })
        await turns()
        await server.createServer(echo).listen(`vchan://${client.domid}/http`)
        expect(await roundTrip(await waiting, 'hello')).to.equal('hello')
      })

      it('is closed before a client came', async () => {
        const serving = server.createServer(echo)
        await serving.listen(`vchan://${client.domid}/http`)
        await serving.close()
        expect(await codeOf(client.connect(`vchan://${server.domid}/http`))).to.equal('ENOENT')
      })

      it('refuses a port that libxenvchan would cut off', async () => {
        expect(await codeOf(client.connect(`vchan://${server.domid}/${'x'.repeat(40)}`))).to.equal('CONDUIT_NAME')
      })

      it('refuses to serve twice at one place', async () => {
        await server.createServer(echo).listen(`vchan://${client.domid}/http`)
        expect(await codeOf(server.createServer().listen(`vchan://${client.domid}/http`))).to.equal('EADDRINUSE')
      })
    })
  })
}
