// Message mode: boundaries, limits, back-pressure, ends.
import { once } from 'node:events'
import { expect } from 'chai'
import fc from 'fast-check'
import { ConduitMessageSocket, type ConduitMessageSocketOptions } from '../../src/vchan/message-socket.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { CLIENT, type PairOptions, vchanPair } from '../support/vchan-pair.js'

async function messagePair(options: PairOptions = {}, sockets: ConduitMessageSocketOptions = {}) {
  const pair = await vchanPair(options)
  const server = new ConduitMessageSocket(pair.server, sockets)
  const client = new ConduitMessageSocket(pair.client, sockets)
  const done = async (): Promise<void> => {
    await Promise.all([client.close(), server.close()])
    await pair.hypervisor.settle()
    pair.hypervisor.assertClean()
  }
  return { ...pair, channels: pair, server, client, done }
}

const pattern = (bytes: number, seed = 0): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (seed + i * 13) & 0xff))

async function receiveAll(socket: ConduitMessageSocket): Promise<Buffer[]> {
  const all: Buffer[] = []
  for await (const message of socket) all.push(Buffer.from(message))
  return all
}

describe('ConduitMessageSocket', () => {
  it('keeps message boundaries, whatever the sizes and the ring', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.integer({ min: 900, max: 1100 }), fc.nat(200_000)), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        const { server, client, done } = await messagePair({ leftBytes: 1024, rightBytes: 1024 })
        const sent = lengths.map((length, i) => pattern(length, i))
        for (const message of sent) client.send(message)
        client.end()
        const received = await receiveAll(server)
        expect(received.map((message) => message.length)).to.deep.equal(lengths)
        expect(Buffer.concat(received).equals(Buffer.concat(sent))).to.equal(true)
        await done()
      }),
      { numRuns: 40 },
    )
  })

  it('messages of 0, 1, ring-1, ring, ring+1 bytes and at the limit arrive whole', async () => {
    const maxMessageBytes = 1_000_000
    const { server, client, done } = await messagePair({}, { maxMessageBytes })
    for (const size of [0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 65_532, 65_536, maxMessageBytes]) {
      client.send(pattern(size))
      expect((await server.receive())?.equals(pattern(size)), `${size} bytes`).to.equal(true)
    }
    await done()
  })

  it('takes bytes and text, and nothing that would be written as something else', async () => {
    const { server, client, done } = await messagePair()
    const others = [
      5,
      {},
      [1, 2],
      null,
      undefined,
      new ArrayBuffer(4),
      new DataView(new ArrayBuffer(4)),
      Uint16Array.of(300),
    ]
    for (const other of others) {
      expect(() => client.send(other as never), String(other)).to.throw(TypeError, 'a message is')
      expect(() => client.sendMany(['first', other as never]), String(other)).to.throw(TypeError)
    }
    client.send('after')
    expect(String(await server.receive())).to.equal('after')
    await done()
  })

  it('takes limits that are numbers of bytes', async () => {
    const { client, done } = await messagePair()
    for (const maxMessageBytes of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new ConduitMessageSocket(client.channel, { maxMessageBytes })).to.throw(RangeError)
    }
    await done()
  })

  it('refuses a message over the limit before anything is written', async () => {
    const { server, client, done } = await messagePair({}, { maxMessageBytes: 10 })
    expect(() => client.send(pattern(11)))
      .to.throw()
      .with.property('code', 'EMSGSIZE')
    expect(() => client.sendMany([pattern(1), pattern(11)]))
      .to.throw()
      .with.property('code', 'EMSGSIZE')
    client.send('fits')
    expect((await server.receive())?.toString()).to.equal('fits')
    await done()
  })

  it('a peer that announces more than the limit is EMSGSIZE, and the connection ends', async () => {
    const pair = await vchanPair()
    const server = new ConduitMessageSocket(pair.server, { maxMessageBytes: 10 })
    pair.client.write(Uint8Array.of(11, 0, 0, 0))
    expect(await rejectionOf(server.receive())).to.have.property('code', 'EMSGSIZE')
    expect(await rejectionOf(server.receive())).to.have.property('code', 'EMSGSIZE')
    await pair.hypervisor.settle()
    await pair.close()
  })

  for (const [how, code] of [
    ['ends', 'CONDUIT_PROTOCOL'],
    ['vanishes', 'ECONNRESET'],
  ] as const) {
    it(`a peer that ${how} in the middle of a message is ${code}, after every whole message`, async () => {
      const pair = await vchanPair()
      const server = new ConduitMessageSocket(pair.server)
      pair.client.write(Uint8Array.of(2, 0, 0, 0, 104, 105, 5, 0, 0, 0, 1, 2))
      if (how === 'ends') pair.client.end()
      else pair.hypervisor.kill(CLIENT)
      expect((await server.receive())?.toString()).to.equal('hi')
      expect(await rejectionOf(server.receive())).to.have.property('code', code)
      await pair.hypervisor.settle()
      await pair.client.close()
      pair.hypervisor.assertClean()
    })
  }

  it('I8: a peer that vanishes between two messages is ECONNRESET, not an end', async () => {
    const pair = await vchanPair()
    const server = new ConduitMessageSocket(pair.server)
    const failed = once(server, 'error')
    pair.hypervisor.kill(CLIENT)
    expect((await failed)[0]).to.have.property('code', 'ECONNRESET')
    expect(await rejectionOf(server.receive())).to.have.property('code', 'ECONNRESET')
    await pair.hypervisor.settle()
    pair.hypervisor.assertClean()
  })

  it('send returns false over its limit, keeps everything, and drain follows', async () => {
    const { server, client, done } = await messagePair({}, { highWaterMark: 10_000 })
    let sent = 0
    while (client.send(pattern(100))) sent++
    sent++
    expect(client.bufferedAmount).to.be.at.least(10_000)
    for (let extra = 0; extra < 50; extra++, sent++) expect(client.send(pattern(100))).to.equal(false)
    const drained = once(client, 'drain')
    let received = 0
    server.on('batch', (batch) => {
      received += batch.length
    })
    await drained
    expect(client.bufferedAmount).to.equal(0)
    client.end()
    await once(server, 'end')
    expect(received).to.equal(sent)
    await done()
  })

  it('holds the peer back while nobody fetches messages', async () => {
    const { server, client, hypervisor, done } = await messagePair({}, { highWaterMark: 10_000 })
    for (let i = 0; i < 1000; i++) client.send(pattern(100))
    await hypervisor.settle()
    expect(server.counters.bytesRead).to.be.at.most(10_000 + 65_536)
    expect(client.bufferedAmount).to.be.greaterThan(0)
    client.end()
    expect(await receiveAll(server)).to.have.lengthOf(1000)
    await done()
  })

  it('delivers message events in order; pause() stops them, resume() goes on', async () => {
    const { server, client, hypervisor, done } = await messagePair()
    const got: string[] = []
    server.on('message', (message) => {
      got.push(message.toString())
      if (got.length === 3) server.pause()
    })
    client.sendMany(['1', '2', '3', '4', '5'])
    await hypervisor.settle()
    expect(got).to.deep.equal(['1', '2', '3'])
    server.resume()
    await hypervisor.settle()
    expect(got).to.deep.equal(['1', '2', '3', '4', '5'])
    await done()
  })

  it('receive() can be called ahead, aborted, and gives null at the end', async () => {
    const { server, client, done } = await messagePair()
    const first = server.receive()
    const abort = new AbortController()
    const aborted = rejectionOf(server.receive({ signal: abort.signal }))
    const third = server.receive()
    abort.abort(new Error('enough'))
    expect(await aborted).to.have.property('message', 'enough')
    client.sendMany(['a', 'b'])
    expect([(await first)?.toString(), (await third)?.toString()]).to.deep.equal(['a', 'b'])
    const last = server.receive()
    client.end()
    expect(await last).to.equal(null)
    expect(await server.receive()).to.equal(null)
    await done()
  })

  it('receiveBatch() gives everything that has come', async () => {
    const { server, client, hypervisor, done } = await messagePair()
    client.sendMany(['a', 'b', 'c'])
    await hypervisor.settle()
    expect((await server.receiveBatch())?.map(String)).to.deep.equal(['a', 'b', 'c'])
    client.end()
    expect(await server.receiveBatch()).to.equal(null)
    await done()
  })

  it('an end is answered by an end, and both sides close once', async () => {
    const { server, client, hypervisor } = await messagePair()
    const closed = Promise.all([once(server, 'close'), once(client, 'close')])
    server.on('message', (message) => server.send(message))
    client.send('ping')
    expect((await client.receive())?.toString()).to.equal('ping')
    client.end()
    expect(() => client.send('late'))
      .to.throw()
      .with.property('code', 'EPIPE')
    expect(await closed).to.deep.equal([[false], [false]])
    expect(client.send === undefined || client.destroyed).to.equal(true)
    hypervisor.assertClean()
  })

  it('leaving an iteration early closes the socket', async () => {
    const { server, client, hypervisor } = await messagePair()
    const reset = rejectionOf(client.receive())
    client.sendMany(['a', 'b'])
    for await (const message of server) {
      expect(message.toString()).to.equal('a')
      break
    }
    expect(server.destroyed).to.equal(true)
    expect(await reset).to.have.property('code', 'ECONNRESET')
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('does nothing on a connection that is gone, and never throws for it', async () => {
    const { server, client, hypervisor } = await messagePair()
    server.destroy()
    await hypervisor.settle()
    expect(client.destroyed).to.equal(true)
    expect(client.send('late')).to.equal(false)
    client.end()
    await hypervisor.settle()
    hypervisor.assertClean()
  })
})
