// The rendezvous against hostile peers, deaths, a lost store and short grants, over the memory substrate.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { clientPath, mailboxPath } from '../../protocol/conduit.js'
import { END_MARK, endMarksOffset, LIVE, OFFSET } from '../../protocol/vchan-page.js'
import type { Domid, EvtchnPort, Gref } from '../../protocol/xen.js'
import type { Conduit } from '../../src/conduit/conduit.js'
import { ENTRIES_PER_CLIENT } from '../../src/conduit/name-directory.js'
import { isConduitError } from '../../src/errors.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { eventually, turns } from '../support/eventually.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryWorld } from '../support/memory-world.js'
import { StoreGuest } from '../support/store-guest.js'

const quiet = (socket: ConduitSocket) => void socket.on('error', () => undefined)
const echo = (socket: ConduitSocket) => void socket.on('error', () => undefined).pipe(socket)

async function failure(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await promise
  } catch (error) {
    if (!isConduitError(error)) throw error
    expect(error.hint, error.code).to.be.a('string')
    return error
  }
  throw new Error('it did not fail')
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => (await failure(promise)).code

const roundTrip = async (socket: ConduitSocket, message: string): Promise<string> => {
  socket.end(message)
  return text(socket)
}

const ID = '0123456789ab'

describe('the rendezvous among faults', () => {
  let world: MemoryWorld
  beforeEach(async () => {
    world = await MemoryWorld.start()
  })
  afterEach(() => world.close())

  /** Nothing mapped, shared or bound any more. */
  const isClean = (): boolean => {
    try {
      world.hypervisor.assertClean()
      return true
    } catch {
      return false
    }
  }

  /** A domain that speaks the protocol by hand. */
  const guest = async (): Promise<StoreGuest> => {
    const { domid } = world.domain()
    return new StoreGuest(domid, await world.client(domid))
  }

  describe('a server with clients that misbehave', () => {
    let server: Conduit
    let hostile: StoreGuest
    let substrate: Substrate

    beforeEach(async () => {
      server = await world.environment()
      await server.createServer(echo).listen('echo')
      substrate = world.domain()
      hostile = new StoreGuest(substrate.domid, await world.client(substrate.domid))
      expect(await hostile.ask('want', 'echo')).to.equal('ok')
    })
    afterEach(async () => {
      await hostile.store.close()
      world.kill(hostile.domid)
    })

    const stillServes = async () => {
      const client = await world.environment()
      expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
    }
    const answerTo = async (value: string, id = ID): Promise<string> => {
      const entry = `${clientPath('echo', hostile.domid)}/${id}`
      await hostile.store.write(entry, value)
      return eventually(async () => {
        const now = await hostile.read(entry)
        return now === value ? undefined : now
      })
    }

    /** Map what was offered, take the request back as every client does that is there, and spoil the page. */
    const spoilArrival = async (id: string): Promise<void> => {
      const keys = `/local/domain/${server.domid}/data/vchan/${hostile.domid}/${id}`
      const [ringRef, port] = [await hostile.read(`${keys}/ring-ref`), await hostile.read(`${keys}/event-channel`)]
      const event = await substrate.bind(server.domid, Number(port) as EvtchnPort)
      const control = await substrate.map(server.domid, [Number(ringRef) as Gref], { access: 'rw' })
      const page = new DataView(control.buffer)
      const order = (offset: number) => page.getUint16(offset, true)
      const marks = endMarksOffset({ left: order(OFFSET.LEFT_ORDER), right: order(OFFSET.RIGHT_ORDER) })
      page.setUint8(marks + END_MARK.CLIENT_OFFSET, 99)
      page.setUint8(OFFSET.CLI_LIVE, LIVE.CONNECTED)
      await hostile.store.remove(`${clientPath('echo', hostile.domid)}/${id}`)
      event.notify()
      await event.close()
      control.close()
    }

    const wrong: [string, string][] = [
      ['', 'refused CONDUIT_PROTOCOL'],
      ['GET / HTTP/1.1', 'refused CONDUIT_PROTOCOL'],
      ['(connect (mode stream) (ring 4294967296))', 'refused CONDUIT_PROTOCOL'],
      ['x'.repeat(1500), 'refused CONDUIT_PROTOCOL'],
      ['(connect (mode message))', 'refused CONDUIT_MODE'],
    ]
    for (const [entry, answer] of wrong) {
      it(`answers ${JSON.stringify(entry.slice(0, 44))} with ${answer}, and serves others`, async () => {
        expect(await answerTo(entry)).to.equal(answer)
        await stillServes()
      })
    }

    it('does not answer what is no entry', async () => {
      const directory = clientPath('echo', hostile.domid)
      await hostile.store.write(`${directory}/no-connection-id`, '(connect (mode stream))')
      await stillServes()
      expect(await hostile.read(`${directory}/no-connection-id`)).to.equal('(connect (mode stream))')
    })

    it('serves others on when one loses its directory for what it made below an entry', async () => {
      const directory = clientPath('echo', hostile.domid)
      await hostile.store.write(`${directory}/${ID}/deeper`, '(connect (mode stream))')
      await eventually(async () => !(await world.dom0.exists(directory)))
      await stillServes()
    })

    it('does not stumble over an entry that it may not read', async () => {
      const entry = `${clientPath('echo', hostile.domid)}/${ID}`
      await hostile.store.transaction(async (transaction) => {
        await hostile.store.write(entry, '(connect (mode stream))', { transaction })
        await hostile.store.setPermissions(entry, [{ access: 'n', domid: hostile.domid }], { transaction })
      })
      await stillServes()
    })

    it('does not serve a client over the entries of another', async () => {
      const other = await world.environment()
      await other.connect('echo').then((socket) => socket.destroy())
      const entry = `${clientPath('echo', other.domid)}/${ID}`
      expect(await hostile.attempt((store) => store.write(entry, '(connect (mode stream))'))).to.equal('EACCES')
    })

    it('publishes keys that only the client can read', async () => {
      expect(await answerTo('(connect (mode stream))')).to.equal('accepted')
      const keys = `/local/domain/${server.domid}/data/vchan/${hostile.domid}/${ID}`
      for (const leaf of ['ring-ref', 'event-channel']) {
        expect(await world.dom0.getPermissions(`${keys}/${leaf}`)).to.deep.equal([
          { access: 'n', domid: server.domid },
          { access: 'r', domid: hostile.domid },
        ])
        expect(await hostile.read(`${keys}/${leaf}`)).to.match(/^[1-9][0-9]*$/)
      }
    })

    it('frees everything when the client takes its request back', async () => {
      const entry = `${clientPath('echo', hostile.domid)}/${ID}`
      expect(await answerTo('(connect (mode stream))')).to.equal('accepted')
      await hostile.store.remove(entry)
      await eventually(async () => (await world.leftovers()).every((path) => !path.includes(ID)))
      world.hypervisor.assertClean()
      expect(await answerTo('(connect (mode stream))', 'ba9876543210')).to.equal('accepted')
    })

    it('frees everything when the client dies in the handshake', async () => {
      expect(await answerTo('(connect (mode stream))')).to.equal('accepted')
      await hostile.store.close()
      world.kill(hostile.domid)
      await eventually(async () => (await world.leftovers()).every((path) => !path.includes(ID)))
      await eventually(isClean)
    })

    it('keeps nothing of a client that comes and spoils its page, however often', async () => {
      // More often than a directory has room for answers that nobody reads.
      for (let round = 0; round <= ENTRIES_PER_CLIENT; round++) {
        const id = round.toString(16).padStart(12, '0')
        expect(await answerTo('(connect (mode stream))', id)).to.equal('accepted')
        await spoilArrival(id)
        await eventually(async () => (await world.leftovers()).every((path) => !path.includes(id)))
      }
      expect(await answerTo('(connect (mode stream))')).to.equal('accepted')
    })

    it('goes on when a client has lost its directory for filling it', async () => {
      const directory = clientPath('echo', hostile.domid)
      const id = (i: number) => i.toString(16).padStart(12, '0')
      for (let i = 0; i < 200; i++) {
        await hostile.attempt((store) => store.write(`${directory}/${id(i)}`, '(connect (mode stream))'))
      }
      await eventually(async () => !(await world.dom0.exists(directory)))
      await stillServes()
    })
  })

  it('a client that never comes costs the server its handshake timeout and nothing else', async () => {
    const clock = new ManualClock()
    const server = await world.environment({ clock, handshakeTimeoutMs: 5000 })
    await server.createServer(echo).listen('echo')
    const client = await guest()
    await client.ask('want', 'echo')
    const entry = `${clientPath('echo', client.domid)}/${ID}`
    await client.store.write(entry, '(connect (mode stream))')
    await eventually(async () => (await client.read(entry)) === 'accepted')
    clock.advance(4999)
    await turns()
    expect(await client.read(entry)).to.equal('accepted')
    clock.advance(1)
    await eventually(async () => (await client.read(entry)) === undefined)
    await eventually(async () => (await world.leftovers()).every((path) => !path.includes(ID)))
    world.hypervisor.assertClean()
    await client.store.close()
    world.kill(client.domid)
  })

  describe('a client with a server that misbehaves', () => {
    let hostile: StoreGuest
    let client: Conduit
    let clock: ManualClock

    beforeEach(async () => {
      clock = new ManualClock()
      client = await world.environment({ clock })
      hostile = await guest()
      expect(await hostile.ask('register', 'trap')).to.equal('ok')
    })
    afterEach(async () => {
      await hostile.store.close()
      world.kill(hostile.domid)
    })

    /** Answer the next request with `act`. */
    const onRequest = async (act: (entry: string, keys: string) => Promise<void>): Promise<void> => {
      const listen = '/conduit/trap/listen'
      let acted = false
      await hostile.store.watch(listen, (path) => {
        const id = /\/([0-9a-f]{12})$/.exec(path)?.[1]
        if (id === undefined || acted) return
        acted = true
        void act(path, `/local/domain/${hostile.domid}/data/vchan/${client.domid}/${id}`)
      })
    }
    const publish = async (
      keys: string,
      ringRef: string,
      port: string,
      owner: Domid = hostile.domid,
    ): Promise<void> => {
      const rights = [
        { access: 'n', domid: owner },
        { access: 'r', domid: client.domid },
      ] as const
      const store = owner === hostile.domid ? hostile.store : world.dom0
      for (const [leaf, value] of [
        ['ring-ref', ringRef],
        ['event-channel', port],
      ] as const) {
        await store.write(`${keys}/${leaf}`, value)
        await store.setPermissions(`${keys}/${leaf}`, rights)
      }
    }
    const accept = (ringRef: string, port: string) =>
      onRequest(async (entry, keys) => {
        await publish(keys, ringRef, port)
        await hostile.store.write(entry, 'accepted')
      })

    const answers: [string, string][] = [
      ['refused ECONNREFUSED', 'ECONNREFUSED'],
      ['refused GRANT_LIMIT', 'GRANT_LIMIT'],
      ['refused toString', 'CONDUIT_PROTOCOL'],
      ['ACCEPTED', 'CONDUIT_PROTOCOL'],
      ['x'.repeat(1500), 'CONDUIT_PROTOCOL'],
      ['', 'CONDUIT_PROTOCOL'],
    ]
    for (const [answer, code] of answers) {
      it(`fails with ${code} when the answer is ${JSON.stringify(answer.slice(0, 30))}`, async () => {
        await onRequest((entry) => hostile.store.write(entry, answer))
        expect(await codeOf(client.connect('trap'))).to.equal(code)
      })
    }

    it('fails with ECONNREFUSED for a code that it does not know', async () => {
      await onRequest((entry) => hostile.store.write(entry, 'refused E_TOO_NEW'))
      const error = await client.connect('trap').catch((reason: unknown) => reason)
      expect(isConduitError(error, 'ECONNREFUSED')).to.equal(true)
      expect(String(error)).to.contain('E_TOO_NEW')
    })

    for (const [ringRef, port] of [
      ['nine', '9'],
      ['9', '0'],
      ['4294967296', '9'],
      ['99999999999999999999', '9'],
      ['-9', '9'],
      ['9', '0x9'],
      ['', ''],
    ] as const) {
      it(`fails with CONDUIT_PROTOCOL when the keys are ${JSON.stringify(ringRef)} and ${JSON.stringify(port)}`, async () => {
        await accept(ringRef, port)
        expect(await codeOf(client.connect('trap'))).to.equal('CONDUIT_PROTOCOL')
      })
    }

    it('fails with EACCES when the keys belong to somebody else', async () => {
      const other = world.domain()
      await onRequest(async (entry, keys) => {
        await publish(keys, '9', '9', other.domid)
        await hostile.store.write(entry, 'accepted')
      })
      expect(await codeOf(client.connect('trap'))).to.equal('EACCES')
    })

    it('fails with ECONNRESET when the keys name pages and ports that are not there', async () => {
      await accept('4000000', '4000000')
      expect(await codeOf(client.connect('trap'))).to.equal('ECONNRESET')
    })

    it('fails with ECONNRESET when the request is removed without an answer', async () => {
      await onRequest((entry) => hostile.store.remove(entry))
      expect(await codeOf(client.connect('trap'))).to.equal('ECONNRESET')
    })

    it('fails with ETIMEDOUT when there is no answer, and says what it waited for', async () => {
      const seen: string[] = []
      await onRequest(async (entry) => void seen.push(entry))
      const connecting = failure(client.connect('trap', { timeoutMs: 3000 }))
      await eventually(() => seen.length > 0)
      clock.advance(2999)
      await turns()
      clock.advance(1)
      const error = await connecting
      expect(error.code).to.equal('ETIMEDOUT')
      expect(error.message).to.contain('the server to accept')
    })

    it('clears away an answer that comes after it has gone', async () => {
      const seen: string[] = []
      await onRequest(async (entry) => void seen.push(entry))
      const controller = new AbortController()
      const connecting = client.connect('trap', { signal: controller.signal }).catch((reason: unknown) => reason)
      const entry = await eventually(() => seen[0])
      controller.abort(new Error('enough'))
      await connecting
      await eventually(async () => (await hostile.read(entry)) === undefined)
      await hostile.store.write(entry, 'accepted')
      await eventually(async () => (await hostile.read(entry)) === undefined)
    })

    it('fails with ENOENT when the holder dies before it answers', async () => {
      const seen: string[] = []
      await onRequest(async (entry) => void seen.push(entry))
      const connecting = codeOf(client.connect('trap'))
      await eventually(() => seen.length > 0)
      await hostile.store.close()
      world.kill(hostile.domid)
      expect(await connecting).to.equal('ENOENT')
    })

    it('fails with CONDUIT_PROTOCOL when a name is held by no domid', async () => {
      for (const value of ['', 'root', '65535', '-1', '1'.repeat(1500)]) {
        await world.dom0.write('/conduit/odd', value)
        expect(await codeOf(client.connect('odd')), value).to.equal('CONDUIT_PROTOCOL')
      }
      await world.dom0.remove('/conduit/odd')
    })

    it('gives a name up some time after its last connection', async () => {
      await onRequest((entry) => hostile.store.write(entry, 'refused ECONNREFUSED'))
      await codeOf(client.connect('trap'))
      const want = `${mailboxPath(client.domid)}/want/trap`
      expect(await world.dom0.exists(want)).to.equal(true)
      clock.advance(5000)
      await eventually(async () => !(await world.dom0.exists(want)))
      await eventually(async () => !(await world.dom0.exists(clientPath('trap', client.domid))))
    })
  })

  describe('death', () => {
    for (const who of ['server', 'client'] as const) {
      it(`of the ${who} is ECONNRESET for the other, after all that it wrote`, async () => {
        const [server, client] = [await world.environment(), await world.environment()]
        const serving = server.createServer({ allowHalfOpen: true })
        await serving.listen('web')
        const connection = once(serving, 'connection') as Promise<[ConduitSocket]>
        const near = await client.connect('web')
        const [far] = await connection
        const [dying, left] = who === 'server' ? [far, near] : [near, far]
        quiet(dying)
        const closed = new Promise((resolve) => left.once('close', resolve))
        let error: unknown
        let received = ''
        left.on('error', (reason) => {
          error = reason
        })
        dying.write('last words')
        await turns()
        world.kill(who === 'server' ? server.domid : client.domid)
        left.on('data', (chunk) => {
          received += String(chunk)
        })
        await closed
        expect(received).to.equal('last words')
        expect(isConduitError(error, 'ECONNRESET')).to.equal(true)
      })
    }

    for (const who of ['server', 'client'] as const) {
      it(`of a ${who} that only the store knows of is ECONNRESET, after all that it wrote`, async () => {
        const clock = new ManualClock()
        // Time stands still for the one that is taken for dead.
        const clocks = who === 'server' ? [new ManualClock(), clock] : [clock, new ManualClock()]
        const [server, client] = [
          await world.environment({ clock: clocks[0] }),
          await world.environment({ clock: clocks[1] }),
        ]
        const serving = server.createServer()
        await serving.listen('web')
        const connection = once(serving, 'connection') as Promise<[ConduitSocket]>
        const near = await client.connect('web')
        const [far] = await connection
        const [dead, left] = who === 'server' ? [far, near] : [near, far]
        quiet(dead)
        let error: unknown
        let received = 0
        left.pause()
        left.on('error', (reason) => {
          error = reason
        })
        const closed = new Promise((resolve) => left.once('close', resolve))
        dead.write(Buffer.alloc(100_000))
        await turns()
        await world.dom0.remove(clientPath('web', client.domid))
        await turns()
        clock.advance(1000)
        await turns()
        expect(left.destroyed, 'with bytes still to be read').to.equal(false)
        left.on('data', (chunk: Buffer) => {
          received += chunk.length
        })
        left.resume()
        await eventually(() => received === 100_000)
        expect(error).to.equal(undefined)
        clock.advance(1000)
        await closed
        expect(isConduitError(error, 'ECONNRESET')).to.equal(true)
      })
    }

    it('is not read out of a directory that goes when everything has ended', async () => {
      const clock = new ManualClock()
      const [server, client] = [await world.environment({ clock }), await world.environment({ clock })]
      const received: Promise<string>[] = []
      await server.createServer((socket) => void received.push(text(socket))).listen('web')
      const socket = await client.connect('web')
      socket.end('all of it').resume()
      await once(socket, 'close')
      clock.advance(5000)
      await eventually(async () => !(await world.dom0.exists(clientPath('web', client.domid))))
      clock.advance(1000)
      expect(await received[0]).to.equal('all of it')
    })

    it('of a server frees its name for the next', async () => {
      const [first, second, client] = [await world.environment(), await world.environment(), await world.environment()]
      await first.createServer(echo).listen('echo')
      ;(await client.connect('echo')).on('error', () => undefined)
      world.kill(first.domid)
      await eventually(() =>
        second
          .createServer(echo)
          .listen('echo')
          .then(
            () => true,
            () => false,
          ),
      )
      expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
    })
  })

  describe('a restart of the store', () => {
    it('costs nothing that is open, and servers register their names again', async () => {
      const [server, client, late] = [await world.environment(), await world.environment(), await world.environment()]
      const serving = server.createServer(echo)
      await serving.listen('echo')
      const socket = await client.connect('echo')
      await world.restartStore()
      expect(await roundTrip(await late.connect('echo', { wait: true }), 'new')).to.equal('new')
      expect(await roundTrip(await client.connect('echo'), 'again')).to.equal('again')
      expect(await roundTrip(socket, 'still there')).to.equal('still there')
      await serving.close()
    })

    it('does not disturb a connect under way', async () => {
      const [server, client] = [await world.environment(), await world.environment()]
      await server.createServer(echo).listen('echo')
      const connecting = Array.from({ length: 20 }, () => client.connect('echo'))
      await turns(2)
      await world.restartStore()
      const answers = await Promise.all(connecting.map(async (one, i) => roundTrip(await one, `${i}`)))
      expect(answers).to.deep.equal(connecting.map((_, i) => `${i}`))
    })

    for (const point of ['map', 'bind'] as const) {
      it(`does not disturb a connect that hears of it while it asks to ${point}`, async () => {
        const [server, client] = [await world.environment(), await world.environment()]
        await server.createServer(echo).listen('echo')
        world.hypervisor.fail(point, 'SUBSTRATE_LOST')
        expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
      })
    }

    it('is nothing to a server whose name somebody removed by hand', async () => {
      const [server, client] = [await world.environment(), await world.environment()]
      await server.createServer(echo).listen('echo')
      await world.dom0.remove('/conduit/echo')
      expect(await roundTrip(await client.connect('echo', { wait: true }), 'hello')).to.equal('hello')
    })

    it('tells a server whose name was taken meanwhile', async () => {
      const server = await world.environment()
      const serving = server.createServer(echo)
      await serving.listen('echo')
      const lost = once(serving, 'error')
      const thief = world.domain()
      const owner = new Map([['echo', thief.domid]])
      await world.restartStore({ reserved: owner })
      const [error] = await lost
      expect(isConduitError(error, 'EACCES')).to.equal(true)
    })
  })

  describe('grants that run short', () => {
    it('make rings smaller, down to the control page, before a connection is refused', async () => {
      await world.close()
      world = await MemoryWorld.start({ grantLimit: 40 })
      const [server, client] = [await world.environment(), await world.environment()]
      await server.createServer({ ringBytes: 64 << 10 }, echo).listen('echo')
      const first = await client.connect('echo')
      expect(first.channel?.readRingBytes).to.equal(64 << 10)
      const sockets: ConduitSocket[] = []
      let code: string | undefined
      while (code === undefined && sockets.length < 50) {
        await client.connect('echo').then(
          (socket) => void sockets.push(socket),
          (error: unknown) => {
            code = isConduitError(error) ? error.code : String(error)
          },
        )
      }
      expect(code).to.equal('GRANT_LIMIT')
      expect(sockets.length).to.equal(40 - 33)
      expect(sockets.at(-1)?.channel?.readRingBytes).to.be.at.most(2048)
      for (const socket of [first, ...sockets]) expect(await roundTrip(socket, 'hello')).to.equal('hello')
    })
  })

  for (const point of ['map', 'bind', 'share', 'listen'] as const) {
    it(`a failure to ${point} on the way rejects and leaves nothing`, async () => {
      const [server, client] = [await world.environment(), await world.environment()]
      await server.createServer(echo).listen('echo')
      world.hypervisor.fail(point, 'MAPPING_FAILED')
      const error = await client.connect('echo').catch((reason: unknown) => reason)
      expect(isConduitError(error, 'MAPPING_FAILED'), String(error)).to.equal(true)
      expect(await roundTrip(await client.connect('echo'), 'hello')).to.equal('hello')
    })
  }

  it('an abort while the pages are being mapped unmaps them when they come', async () => {
    let reached: () => void = () => undefined
    let goOn: () => void = () => undefined
    const mapping = new Promise<void>((resolve) => {
      reached = resolve
    })
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const domain = world.domain()
    const slow: Substrate = Object.create(domain, {
      domid: { get: () => domain.domid },
      xenstore: { value: () => domain.xenstore() },
      bind: { value: domain.bind.bind(domain) },
      close: { value: () => domain.close() },
      map: {
        value: async (...args: Parameters<Substrate['map']>) => {
          reached()
          await gate
          return domain.map(...args)
        },
      },
    })
    const [server, client] = [await world.environment(), await world.environment({ substrate: slow })]
    await server.createServer(echo).listen('echo')
    const controller = new AbortController()
    const connecting = client.connect('echo', { signal: controller.signal }).catch((reason: unknown) => reason)
    await mapping
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await connecting).to.equal(reason)
    goOn()
    await eventually(isClean)
  })

  it('an abort at any turn of a connect leaves nothing', async () => {
    const [server, client] = [await world.environment(), await world.environment()]
    await server.createServer(echo).listen('echo')
    for (let turn = 0; turn < 60; turn++) {
      const controller = new AbortController()
      const reason = new Error(`after ${turn} turns`)
      const connecting = client.connect('echo', { signal: controller.signal })
      const outcome = connecting.then(
        (socket) => socket.on('error', () => undefined).destroy(),
        (error: unknown) => expect(error).to.equal(reason),
      )
      await turns(turn)
      controller.abort(reason)
      await outcome
    }
    await eventually(async () => (await world.leftovers()).every((path) => !/[0-9a-f]{12}$/.test(path)))
    await eventually(isClean)
  })
})
