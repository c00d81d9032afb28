// adoptConnections() seen from the program: with a jitsud, without one, with one that misbehaves; and jitsud with a program that does.
import { createServer as createHttpServer } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { expect } from 'chai'
import { encodeHandover, HANDOVER_VERSION, HandoverType } from '../../protocol/handover.js'
import { adoptConnections } from '../../src/index.js'
import { native } from '../../src/native.js'
import { eventually } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { HoldWorld } from '../support/hold-world.js'

describe('adoptConnections', () => {
  let world: HoldWorld
  let path: string

  beforeEach(() => {
    world = new HoldWorld()
    path = join(world.directory, 'www')
  })
  afterEach(async () => {
    await world.close()
  })

  /** A service whose one process is this one. */
  const own = (): void => {
    const { takers: _listening } = world
    world.service.runs(process.pid)
    world.service.becomesReady()
  }

  it('is undefined where no jitsud launched the program', async () => {
    expect(process.env).not.to.have.property('CONDUIT_HANDOVER')
    expect(await adoptConnections(() => undefined)).to.equal(undefined)
  })

  it('fails with ECONNREFUSED and a hint when jitsud has gone', async () => {
    const error = await expectCode(
      adoptConnections(() => undefined, { path }),
      'ECONNREFUSED',
    )
    expect(error).to.have.property('hint').that.contains('start jitsud')
  })

  it('fails with EACCES for a process that the launcher did not start', async () => {
    const { takers: _listening } = world
    world.service.runs(1)
    const error = await expectCode(
      adoptConnections(() => undefined, { path }),
      'EACCES',
    )
    expect(error).to.have.property('hint').that.contains('setsid')
  })

  it('fails with ETIMEDOUT when jitsud does not say whether', async () => {
    const listener = native().unixListen(path, false)
    await expectCode(
      adoptConnections(() => undefined, { path, timeoutMs: 1 }),
      'ETIMEDOUT',
    )
    native().closeFd(listener)
  })

  it('rejects with the reason of its signal', async () => {
    const listener = native().unixListen(path, false)
    const reason = new Error('no more')
    expect(await rejectionOf(adoptConnections(() => undefined, { path, signal: AbortSignal.abort(reason) }))).to.equal(
      reason,
    )
    const controller = new AbortController()
    const pending = rejectionOf(adoptConnections(() => undefined, { path, signal: controller.signal }))
    controller.abort(reason)
    expect(await pending).to.equal(reason)
    native().closeFd(listener)
  })

  it('throws for what is no target and no option', async () => {
    for (const target of [undefined, {}, 'server']) {
      expect(await rejectionOf(adoptConnections(target as never))).to.be.instanceOf(TypeError)
    }
    expect(await rejectionOf(adoptConnections(() => undefined, { noDelay: 1 as never }))).to.be.instanceOf(TypeError)
    expect(await rejectionOf(adoptConnections(() => undefined, { timeoutMs: -1 }))).to.be.instanceOf(RangeError)
  })

  it('gives sockets with the addresses of the client and of the held address', async () => {
    own()
    const held = await world.hold({ handover: 'fd' })
    const sockets: Socket[] = []
    const adopted = await adoptConnections((socket) => void sockets.push(socket), { path })
    const client = await world.client(held)
    const socket = await eventually(() => sockets[0])
    expect(adopted!.open).to.equal(1)
    expect(`${socket.localAddress}:${socket.localPort}`).to.equal(held.address)
    expect(socket.remotePort).to.equal(client.socket.localPort)
    socket.destroy()
    client.socket.end()
    await client.outcome()
    await adopted!.close()
  })

  it('gets connections in the order of arrival although the service answers the last client first', async () => {
    own()
    const held = await world.hold({ handover: 'fd' })
    const answers: (() => void)[] = []
    world.service.summon = () => new Promise((resolve) => answers.unshift(resolve))
    const ports: number[] = []
    const adopted = (await adoptConnections(
      (socket) => {
        ports.push(socket.remotePort!)
        socket.end()
      },
      { path },
    ))!
    const clients = await world.clients(held, 3)
    await eventually(() => answers.length === 3)
    for (const answer of answers) answer()
    await eventually(() => ports.length === 3)
    expect(ports).to.deep.equal(clients.map(({ socket }) => socket.localPort))
    for (const { socket } of clients) socket.end()
    await eventually(() => adopted.open === 0)
    await adopted.close()
  })

  it('serves keep-alive HTTP from many clients, and goes on with what is open after close()', async () => {
    own()
    const held = await world.hold({ handover: 'fd' })
    const server = createHttpServer((request, response) => response.end(request.url))
    const adopted = (await adoptConnections(server, { path }))!
    const get = (name: string) => `GET /${name} HTTP/1.1\r\nHost: www\r\n\r\n`
    const clients = await world.clients(held, 20)
    for (const [index, { socket }] of clients.entries()) socket.write(get(`first-${index}`))
    for (const [index, client] of clients.entries()) await eventually(() => client.text.endsWith(`/first-${index}`))
    await adopted.close()
    for (const [index, { socket }] of clients.entries()) socket.write(get(`second-${index}`))
    for (const [index, client] of clients.entries()) await eventually(() => client.text.endsWith(`/second-${index}`))
    const late = await world.client(held)
    await eventually(() => held.counters.waiting === 1)
    for (const { socket } of clients) socket.destroy()
    await eventually(() => adopted.open === 0)
    late.socket.destroy()
  })

  it('serves TLS', async () => {
    own()
    const held = await world.hold({ handover: 'fd' })
    // A key that both know, so that nobody needs a certificate (RFC 4279).
    const psk = Buffer.from('0123456789abcdef')
    const tls = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
    const server = createTlsServer({ ...tls, pskCallback: () => psk }, (socket) => socket.end('in secret'))
    const adopted = (await adoptConnections(server, { path }))!
    const client = await world.client(held)
    client.socket.removeAllListeners('data')
    const secure = connectTls({
      ...tls,
      socket: client.socket,
      pskCallback: () => ({ psk, identity: 'test' }),
      checkServerIdentity: () => undefined,
    })
    let said = ''
    secure.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await eventually(() => said === 'in secret')
    secure.destroy()
    await eventually(() => adopted.open === 0)
    await adopted.close()
  })

  it('ends a connection that the program destroys as any other: no reset', async () => {
    own()
    const held = await world.hold({ handover: 'fd' })
    const adopted = (await adoptConnections((socket) => socket.write('bye', () => socket.destroy()), { path }))!
    const client = await world.client(held)
    await eventually(() => client.ended)
    client.socket.end()
    expect(await client.outcome()).to.deep.equal({ text: 'bye', ended: true, error: undefined })
    await adopted.close()
  })

  describe('a process that breaks the protocol', () => {
    for (const [what, messages] of [
      ['says nothing that is known', [encodeHandover(99 as never)]],
      ['begins without a greeting', [encodeHandover(HandoverType.TAKEN, 1)]],
      ['speaks another version', [encodeHandover(HandoverType.HELLO, HANDOVER_VERSION + 1, 0)]],
      ['claims to have more than can be', [encodeHandover(HandoverType.HELLO, HANDOVER_VERSION, 2 ** 31)]],
      ['took what it was not given', [hello(), encodeHandover(HandoverType.TAKEN, 77)]],
      ['refuses what it was not given', [hello(), encodeHandover(HandoverType.REFUSED, 77)]],
      ['moved more than can be', [hello(), encodeHandover(HandoverType.MOVED, 0, 2 ** 32 - 1)]],
      ['greets twice', [hello(), hello()]],
      ['says what jitsud says', [hello(), encodeHandover(HandoverType.CONNECTION, 1)]],
      ['sends more than any message has', [new Uint8Array(4096)]],
      ['sends half a word', [new Uint8Array(5)]],
    ] as const) {
      it(`and ${what} is dropped, and the others are served`, async () => {
        own()
        const held = await world.hold({ handover: 'fd' })
        const fd = native().unixConnect(path)
        for (const message of messages) native().sendMessage(fd, message, [])
        await eventually(() => hasHungUp(fd))
        native().closeFd(fd)
        const adopted = (await adoptConnections((socket) => socket.end('served'), { path }))!
        const client = await world.client(held)
        await eventually(() => client.text === 'served')
        client.socket.end()
        await client.outcome()
        await adopted.close()
      })
    }

    it('and refuses a client that has gone meanwhile holds up nobody', async () => {
      own()
      const held = await world.hold({ handover: 'fd' })
      const fd = native().unixConnect(path)
      native().sendMessage(fd, hello(), [])
      const gone = await world.client(held)
      const given = await eventually(() => {
        const message = native().receiveMessage(fd, new Uint8Array(16))
        return message?.fds.length === 1 ? message : undefined
      })
      gone.socket.resetAndDestroy()
      await eventually(() => held.counters.gone === 1)
      native().sendMessage(fd, encodeHandover(HandoverType.REFUSED, 1), [])
      for (const copy of given.fds) native().closeFd(copy)
      const adopted = (await adoptConnections((socket) => socket.end('served'), { path }))!
      native().closeFd(fd)
      const client = await world.client(held)
      await eventually(() => client.text === 'served')
      client.socket.end()
      await client.outcome()
      await adopted.close()
    })

    it('and passes descriptors gets nowhere: they are closed', async () => {
      own()
      const { takers } = world
      const fd = native().unixConnect(path)
      const event = native().eventfdCreate()
      native().sendMessage(fd, hello(), [event, event])
      await eventually(() => native().receiveMessage(fd, new Uint8Array(16)) !== null)
      native().closeFd(fd)
      native().closeFd(event)
      expect(takers.openConnections).to.equal(0)
    })
  })

  it('leaves a socket file of a killed jitsud to the next, and a living one its place', async () => {
    const listener = native().unixListen(path, false)
    let error: unknown
    try {
      void world.takers
    } catch (caught) {
      error = caught
    }
    expect(error).to.have.property('code', 'EADDRINUSE')
    native().closeFd(listener)
    expect(world.takers.path).to.equal(path)
  })
})

function hello(): Uint8Array {
  return encodeHandover(HandoverType.HELLO, HANDOVER_VERSION, 0)
}

/** Reads what comes until the end. */
function hasHungUp(fd: number): boolean {
  try {
    return native().receiveMessage(fd, new Uint8Array(16))?.bytes === 0
  } catch {
    return true
  }
}
