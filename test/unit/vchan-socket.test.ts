// ConduitSocket as a Duplex with node:net's words, over an in-process hypervisor.
import diagnosticsChannel from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, Agent as HttpAgent, request } from 'node:http'
import { finished, pipeline } from 'node:stream/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import type { VchanChannel } from '../../src/vchan/channel.js'
import { ConduitSocket, type ConduitSocketOptions } from '../../src/vchan/socket.js'
import { pokeU32 } from '../support/hostile-peer.js'
import { CLIENT, type PairOptions, SERVER, vchanPair } from '../support/vchan-pair.js'

async function socketPair(options: PairOptions = {}, sockets: ConduitSocketOptions = {}) {
  const pair = await vchanPair(options)
  const server = new ConduitSocket(pair.server, sockets)
  const client = new ConduitSocket(pair.client, sockets)
  return { ...pair, server, client }
}

async function collect(socket: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const pattern = (bytes: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 7)) & 0xff))

describe('ConduitSocket', () => {
  it('answers what an echo server was sent, ends and releases everything', async () => {
    const { server, client, hypervisor } = await socketPair()
    server.pipe(server)
    client.end('hello')
    const closed = Promise.all([once(server, 'close'), once(client, 'close')])
    expect((await collect(client)).toString()).to.equal('hello')
    expect(await closed).to.deep.equal([[false], [false]])
    hypervisor.assertClean()
  })

  it('I6: an echo whose peer dies while nothing more fits either way reads on to the reset, and does not wait for ever', async () => {
    const { server, client, hypervisor } = await socketPair()
    let echoed = 0
    server.on('data', (chunk: Buffer) => {
      echoed += chunk.length
    })
    server.pipe(server)
    const failed = once(server, 'error')
    // Not once(): that would reject with the error.
    const closed = new Promise((resolve) => server.once('close', resolve))
    // The client never reads: its writes fill one ring, their echo the other, and then everything stands still.
    client.pause()
    client.on('error', () => {})
    const bytes = pattern(200_000)
    client.write(bytes)
    let before = -1
    while (echoed !== before || echoed === 0) {
      before = echoed
      for (let turns = 0; turns < 20; turns++) await turn()
    }
    const written = client.channel!.bytesWritten
    expect(written).to.be.lessThan(bytes.length)
    hypervisor.kill(CLIENT)
    expect((await failed)[0]).to.have.property('code', 'ECONNRESET')
    expect(await closed).to.equal(true)
    expect(echoed).to.equal(written)
    client.destroy()
    hypervisor.assertClean()
  })

  it('a writer that writes as long as it is taken does not starve the reader when the peer has gone', async () => {
    const { server, client, hypervisor } = await socketPair()
    client.write('the last words')
    await once(server, 'readable')
    const failed = once(server, 'error')
    hypervisor.kill(CLIENT)
    const chunk = pattern(8192)
    const fill = (): void => {
      while (server.writable && server.write(chunk));
    }
    server.on('drain', fill)
    fill()
    server.resume()
    expect((await failed)[0]).to.have.property('code', 'ECONNRESET')
    client.on('error', () => {}).destroy()
    hypervisor.assertClean()
  })

  it('refuses an onread whose buffer cannot be read into, at once or when it is asked for one', async () => {
    const { server, client, hypervisor } = await socketPair()
    const callback = (): boolean => true
    for (const buffer of [new Uint8Array(0), 'x' as never]) {
      expect(() => new ConduitSocket(server.channel!, { onread: { buffer, callback } })).to.throw(TypeError)
    }
    server.destroy()
    client.on('error', () => {}).destroy()
    await Promise.all([once(server, 'close'), once(client, 'close')])
    hypervisor.assertClean()
    const pair = await vchanPair()
    const reader = new ConduitSocket(pair.server, { onread: { buffer: () => undefined as never, callback } })
    const failed = once(reader, 'error')
    pair.client.write(Uint8Array.of(1))
    expect((await failed)[0]).to.be.instanceOf(TypeError)
    await pair.close()
  })

  it('moves more than the rings hold in both directions at once', async () => {
    const { server, client, hypervisor } = await socketPair()
    const bytes = pattern(1_000_003)
    server.end(bytes)
    client.end(bytes)
    const closed = Promise.all([once(server, 'close'), once(client, 'close')])
    const [left, right] = await Promise.all([collect(server), collect(client)])
    expect(left.equals(bytes)).to.equal(true)
    expect(right.equals(bytes)).to.equal(true)
    await closed
    hypervisor.assertClean()
  })

  it('I3: any chunking on either side is the same stream, with and without spinning', async () => {
    const chunks = fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        chunks,
        fc.integer({ min: 1, max: 5000 }),
        fc.constantFrom(0, 10),
        async (sizes, take, spinMicros) => {
          const { server, client, hypervisor } = await socketPair({ leftBytes: 1024, rightBytes: 1024, spinMicros })
          const expected = Buffer.concat(sizes.map(pattern))
          for (const size of sizes) client.write(pattern(size))
          client.resume().end()
          const closed = Promise.all([once(client, 'close'), once(server, 'close')])
          const received: Buffer[] = []
          server.on('readable', () => {
            for (let part = server.read(take); part !== null; part = server.read(take)) received.push(part as Buffer)
            const rest = server.readableLength > 0 && server.readableLength < take ? server.read() : null
            if (rest !== null) received.push(rest as Buffer)
          })
          await once(server, 'end')
          expect(Buffer.concat(received).equals(expected)).to.equal(true)
          await closed
          hypervisor.assertClean()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('holds the peer back when nobody reads, and goes on when somebody does', async () => {
    const { server, client, hypervisor } = await socketPair({}, { highWaterMark: 8192 })
    const bytes = pattern(500_000)
    let done = false
    client.write(bytes, () => {
      done = true
    })
    await hypervisor.settle()
    expect(done).to.equal(false)
    expect(server.readableLength).to.be.at.most(8192 + 4096)
    expect(client.bytesWritten).to.be.at.most(server.readableLength + 4096)
    expect(client.bufferSize).to.equal(bytes.length)
    client.resume().end()
    expect((await collect(server)).equals(bytes)).to.equal(true)
    expect(done).to.equal(true)
    expect([client.bytesWritten, server.bytesRead]).to.deep.equal([bytes.length, bytes.length])
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('I8: half-close: one direction ends, the other goes on', async () => {
    const { server, client, hypervisor } = await socketPair({}, { allowHalfOpen: true })
    expect(client.halfCloseSupported).to.equal(true)
    const heard: Buffer[] = []
    server.on('data', (chunk: Buffer) => heard.push(chunk))
    client.end('question')
    await once(server, 'end')
    expect(Buffer.concat(heard).toString()).to.equal('question')
    expect([server.readyState, client.readyState]).to.deep.equal(['writeOnly', 'readOnly'])
    await turn()
    server.end('answer')
    expect((await collect(client)).toString()).to.equal('answer')
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('I8: without allowHalfOpen the answer to an end is an end', async () => {
    const { server, client, hypervisor } = await socketPair()
    const closed = Promise.all([once(server, 'close'), once(client, 'close')])
    server.resume()
    client.resume()
    client.end()
    expect(await closed).to.deep.equal([[false], [false]])
    hypervisor.assertClean()
  })

  for (const how of ['killed', 'destroyed'] as const) {
    it(`I6, I8: a peer that is ${how} leaves every byte it wrote, then ECONNRESET, never an end`, async () => {
      const { server, client, hypervisor } = await socketPair()
      server.write(pattern(3000))
      await turn()
      if (how === 'killed') hypervisor.kill(SERVER)
      else server.destroy()
      const received: Buffer[] = []
      let ended = false
      client
        .on('data', (chunk: Buffer) => received.push(chunk))
        .on('end', () => {
          ended = true
        })
      const [error] = await once(client, 'error')
      expect(error).to.have.property('code', 'ECONNRESET')
      expect(Buffer.concat(received).equals(pattern(3000))).to.equal(true)
      expect(ended).to.equal(false)
      await hypervisor.settle()
      hypervisor.assertClean()
    })
  }

  it('I6: a reader that is slower than the death of its peer still gets everything', async () => {
    const { server, client, hypervisor } = await socketPair({ rightBytes: 65536 }, { highWaterMark: 4096 })
    const bytes = pattern(65536)
    server.write(bytes)
    client.pause()
    await turn()
    hypervisor.kill(SERVER)
    await hypervisor.settle()
    // It also writes, and that must not cost it what it has not read yet.
    client.write('too late')
    await hypervisor.settle()
    const received: Buffer[] = []
    try {
      for await (const chunk of client) {
        received.push(chunk as Buffer)
        await turn()
      }
      expect.fail('the iteration ended')
    } catch (error) {
      expect(error).to.have.property('code', 'ECONNRESET')
    }
    expect(Buffer.concat(received).equals(bytes)).to.equal(true)
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('a writer that reads nothing learns of the death of its peer', async () => {
    const { client, hypervisor } = await socketPair()
    const failed = once(client, 'error')
    client.write(pattern(100_000))
    await turn()
    hypervisor.kill(SERVER)
    const [error] = await failed
    expect(error).to.have.property('code', 'ECONNRESET')
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  for (const [who, listen] of [
    ['nobody', () => {}],
    ['a reader that is paused', (socket: ConduitSocket) => void socket.on('data', () => {}).pause()],
  ] as const) {
    it(`I8: the end of a peer that wrote nothing closes a socket that ${who} reads, as in node:net`, async () => {
      const { server, client, hypervisor } = await socketPair()
      listen(server)
      server.end('hi')
      const closed = Promise.all([once(server, 'close'), once(client, 'close')])
      client.end()
      expect((await collect(client)).toString()).to.equal('hi')
      expect(await closed).to.deep.equal([[false], [false]])
      hypervisor.assertClean()
    })
  }

  it('a peer that ends and closes without reading what was sent is EPIPE', async () => {
    const { server, client, hypervisor } = await socketPair({}, { allowHalfOpen: true })
    server.pause()
    client.write('unread')
    const ended = once(client, 'end')
    server.end()
    await once(server, 'finish')
    server.destroy()
    client.resume()
    await ended
    const failed = once(client, 'error')
    client.end()
    const [error] = await failed
    expect(error).to.have.property('code', 'EPIPE')
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  for (const onread of [false, true]) {
    it(`a peer that left bytes unread is EPIPE only after everything it wrote, ${onread ? 'also with onread' : 'in pieces'}`, async () => {
      const received: Buffer[] = []
      const buffer = Buffer.alloc(1024)
      const callback = (count: number): boolean => received.push(Buffer.from(buffer.subarray(0, count))) !== 2
      const pair = await vchanPair()
      const server = new ConduitSocket(pair.server, { allowHalfOpen: true, pauseOnConnect: true })
      const client = new ConduitSocket(pair.client, {
        allowHalfOpen: true,
        highWaterMark: 1024,
        ...(onread ? { onread: { buffer, callback } } : {}),
      })
      client.pause()
      if (!onread) client.on('data', (chunk: Buffer) => received.push(chunk))
      server.write(pattern(4096))
      server.end()
      await once(server, 'finish')
      client.write('unread')
      server.destroy()
      await once(server, 'close')
      await pair.hypervisor.settle()
      const failed = once(client, 'error')
      client.end()
      await pair.hypervisor.settle()
      client.resume()
      if (onread) await turn()
      client.resume()
      expect((await failed)[0]).to.have.property('code', 'EPIPE')
      expect(Buffer.concat(received).equals(pattern(4096))).to.equal(true)
      await pair.hypervisor.settle()
      pair.hypervisor.assertClean()
    })
  }

  it('I4: a corrupt page destroys the socket with VCHAN_CORRUPT', async () => {
    const pair = await vchanPair()
    const server = new ConduitSocket(pair.server)
    const client = new ConduitSocket(pair.client)
    client.on('error', () => {})
    const failed = once(server, 'error')
    pokeU32(pair.client, 4, 5000)
    client.write('x')
    pokeU32(pair.client, 4, 5000)
    const [error] = await failed
    expect(error).to.have.property('code', 'VCHAN_CORRUPT')
    await pair.hypervisor.settle()
    pair.hypervisor.assertClean()
  })

  it('writing after the end is the stream error that node has for it', async () => {
    const { server, client, hypervisor } = await socketPair()
    server.resume()
    client.resume()
    client.end()
    const failed = once(client, 'error')
    client.write('late')
    expect((await failed)[0]).to.have.property('code', 'ERR_STREAM_WRITE_AFTER_END')
    await hypervisor.settle()
    server.destroy()
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('emits close once, after everything is unmapped, with whether there was an error', async () => {
    const { server, client, hypervisor } = await socketPair()
    const closes: boolean[] = []
    client.on('error', () => {})
    client.on('close', (hadError: boolean) => {
      closes.push(hadError)
      expect(pair(client)).to.equal('closed')
    })
    server.on('error', () => {})
    client.destroy(new Error('enough'))
    client.destroy()
    await hypervisor.settle()
    expect(closes).to.deep.equal([true])
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('onread fills one buffer again and again; false pauses, resume() goes on', async () => {
    const pair = await vchanPair()
    const server = new ConduitSocket(pair.server).resume()
    const buffer = Buffer.alloc(1000)
    const received: Buffer[] = []
    let calls = 0
    const client = new ConduitSocket(pair.client, {
      onread: {
        buffer,
        callback(bytes, into) {
          expect(into).to.equal(buffer)
          received.push(Buffer.from(into.subarray(0, bytes)))
          return ++calls !== 2
        },
      },
    })
    client.on('data', () => expect.fail('no data event'))
    const bytes = pattern(3500)
    server.end(bytes)
    await pair.hypervisor.settle()
    expect(calls).to.equal(2)
    const ended = once(client, 'end')
    client.resume()
    await ended
    expect(Buffer.concat(received).equals(bytes)).to.equal(true)
    await pair.hypervisor.settle()
    pair.hypervisor.assertClean()
  })

  it('carries http with a keep-alive agent', async () => {
    const { server, client, hypervisor } = await socketPair()
    const http = createServer((incoming, response) => incoming.pipe(response))
    http.emit('connection', server)
    const agent = new HttpAgent({ keepAlive: true })
    Object.assign(agent, { createConnection: () => client })
    for (const text of ['one', 'two']) {
      const sent = request({ agent, method: 'POST', host: 'ignored' })
      sent.end(text)
      const [response] = await once(sent, 'response')
      expect((await collect(response)).toString()).to.equal(text)
    }
    agent.destroy()
    server.destroy()
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('carries http to a client that has ended, whose server answers when it has the whole request', async () => {
    const { server, client, hypervisor } = await socketPair({}, { allowHalfOpen: true })
    const http = createServer((incoming, response) => incoming.resume().on('end', () => response.end('hello\n')))
    http.emit('connection', server)
    client.end('POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nthere')
    expect((await collect(client)).toString()).to.match(/^HTTP\/1\.1 200 .*hello\n$/s)
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('has the words of net.Socket', async () => {
    const pair = await vchanPair()
    const client = new ConduitSocket(pair.client, { name: 'echo', port: 'http', localAddress: 'me' })
    const server = new ConduitSocket(pair.server)
    expect(client.setNoDelay().setKeepAlive(true, 10).ref().unref()).to.equal(client)
    expect(client).to.include({ connecting: false, pending: false, readyState: 'open', remoteFamily: 'vchan' })
    expect(client).to.include({ remoteAddress: 'echo', remotePort: 'http', localAddress: 'me', bufferSize: 0 })
    expect(client.address()).to.deep.equal({ address: 'me', family: 'vchan' })
    expect(server.remoteAddress).to.equal(`vchan://${CLIENT}`)
    server.resume()
    client.end('last')
    client.destroySoon()
    await once(client, 'close')
    server.on('error', () => {})
    server.resetAndDestroy()
    await pair.hypervisor.settle()
    pair.hypervisor.assertClean()
  })

  it('emits timeout after silence, and traffic puts it off', async () => {
    const { server, client, hypervisor } = await socketPair()
    await new Promise<void>((resolve) => client.setTimeout(1, resolve))
    expect(client.timeout).to.equal(1)
    client.setTimeout(0)
    expect(() => client.setTimeout(-1)).to.throw(RangeError)
    for (const socket of [server, client]) socket.on('error', () => {}).destroy()
    await hypervisor.settle()
    hypervisor.assertClean()
  })

  it('is usable before its channel is there', async () => {
    const pair = await vchanPair()
    const server = new ConduitSocket(pair.server)
    server.pipe(server)
    let ready!: (channel: VchanChannel) => void
    const client = new ConduitSocket(
      new Promise<VchanChannel>((resolve) => {
        ready = resolve
      }),
    )
    expect(client).to.include({ connecting: true, pending: true, readyState: 'opening', bytesRead: 0 })
    client.end('early')
    const connected = once(client, 'connect')
    ready(pair.client)
    await connected
    expect((await collect(client)).toString()).to.equal('early')
    await pair.hypervisor.settle()
    pair.hypervisor.assertClean()
  })

  it('is destroyed by what keeps its channel from coming; a channel that comes too late is closed', async () => {
    const failed = new ConduitSocket(Promise.reject(new Error('nobody there')))
    expect((await once(failed, 'error'))[0]).to.have.property('message', 'nobody there')
    const pair = await vchanPair()
    let ready!: (channel: VchanChannel) => void
    const late = new ConduitSocket(
      new Promise<VchanChannel>((resolve) => {
        ready = resolve
      }),
    )
    const closed = once(late, 'close')
    late.destroy()
    await closed
    ready(pair.client)
    await pair.hypervisor.settle()
    expect(pair.client.state).to.equal('closed')
    await pair.close()
  })

  it('works with pipeline, finished, abort signals and asynchronous disposal', async () => {
    const { server, client, hypervisor } = await socketPair()
    const echoed = pipeline(server, server)
    client.end('through')
    expect((await collect(client)).toString()).to.equal('through')
    await echoed
    await finished(client)
    await hypervisor.settle()
    const abort = new AbortController()
    const second = await socketPair({}, { signal: abort.signal })
    const failures = Promise.all([once(second.client, 'error'), once(second.server, 'error')])
    abort.abort()
    for (const [error] of await failures) expect(error).to.have.property('name', 'AbortError')
    const third = await socketPair()
    third.server.on('error', () => {})
    await third.client[Symbol.asyncDispose]()
    await third.client[Symbol.asyncDispose]()
    await third.hypervisor.settle()
    for (const { hypervisor: used } of [second, third]) used.assertClean()
    hypervisor.assertClean()
  })

  it('tells diagnostics_channel of opening, wake-ups and closing', async () => {
    const told: string[] = []
    const names = ['open', 'wakeup', 'close'].map((what) => `conduit:socket:${what}`)
    const listener = (_message: unknown, name: string | symbol): void => void told.push(String(name))
    for (const name of names) diagnosticsChannel.subscribe(name, listener)
    const { server, client, hypervisor } = await socketPair()
    server.pipe(server)
    client.end('x')
    await collect(client)
    await hypervisor.settle()
    for (const name of names) diagnosticsChannel.unsubscribe(name, listener)
    expect(told.filter((name) => name === names[0])).to.have.lengthOf(2)
    expect(told.filter((name) => name === names[2])).to.have.lengthOf(2)
    expect(told).to.include(names[1])
    hypervisor.assertClean()
  })

  it('I6: a sender that closes straight after its last byte loses none of it', async function () {
    this.timeout(60_000)
    for (let run = 0; run < 300; run++) {
      const { server, client, hypervisor } = await socketPair()
      const bytes = pattern(run * 37)
      client.resume()
      client.end(bytes)
      client.destroySoon()
      const received: Buffer[] = []
      server.on('data', (chunk: Buffer) => received.push(chunk))
      await once(server, 'end')
      expect(Buffer.concat(received).equals(bytes)).to.equal(true)
      await hypervisor.settle()
      hypervisor.assertClean()
    }
  })
})

const pair = (socket: ConduitSocket): string | undefined => socket.channel?.state
