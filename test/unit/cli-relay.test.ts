// The relay between local streams and a connection, over the memory substrate: ends, failures, streams that outlive it.
import { once } from 'node:events'
import { PassThrough, type Readable, Writable } from 'node:stream'
import { expect } from 'chai'
import { Interrupted, OutputClosed } from '../../src/cli/exit-status.js'
import { type RelayOptions, relay } from '../../src/cli/relay.js'
import { isConduitError } from '../../src/errors.js'
import { ConduitSocket } from '../../src/vchan/socket.js'
import { type VchanPair, vchanPair } from '../support/vchan-pair.js'

const outcome = (done: Promise<void>): Promise<unknown> =>
  done.then(
    () => 'done',
    (error: unknown) => error,
  )

/** Everything up to the end; the stream's other direction stays as it is, unlike with toArray(). */
async function readAll(stream: Readable): Promise<string> {
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
  })
  await once(stream, 'end')
  return text
}

describe('a relay', () => {
  let pair: VchanPair
  let peer: ConduitSocket
  let socket: ConduitSocket
  let input: PassThrough
  let output: PassThrough
  const controller = (): AbortController => new AbortController()

  beforeEach(async () => {
    pair = await vchanPair()
    peer = new ConduitSocket(pair.server, { allowHalfOpen: true })
    peer.on('error', () => undefined)
    socket = new ConduitSocket(pair.client, { allowHalfOpen: true, pauseOnConnect: true })
    input = new PassThrough()
    output = new PassThrough()
  })
  afterEach(async () => {
    peer.destroy()
    socket.destroy()
    await pair.close()
  })

  const start = (options: Partial<RelayOptions> = {}): Promise<void> =>
    relay(socket, { input, output }, { signal: controller().signal, ...options })

  it('resolves when both directions have ended, with everything at its place', async () => {
    const done = start()
    input.end('there')
    peer.end('and back')
    expect(await readAll(peer)).to.equal('there')
    expect(await readAll(output)).to.equal('and back')
    await done
  })

  it('resolves only when the output has taken what was received, and the peer is not told before', async () => {
    let take: () => void = () => undefined
    const slow = new Writable({
      write: (_chunk, _encoding, callback) => {
        take = callback
        slow.emit('asked')
      },
    })
    let resolved = false
    const done = relay(socket, { input, output: slow }, { signal: controller().signal }).then(() => {
      resolved = true
    })
    input.end()
    peer.channel?.linger()
    peer.end('slowly')
    peer.resume()
    await once(slow, 'asked')
    await pair.hypervisor.settle()
    expect([resolved, socket.closed, peer.writableFinished]).to.deep.equal([false, false, false])
    const told = once(peer, 'close')
    take()
    await done
    await told
    expect(peer.writableFinished).to.equal(true)
  })

  it('rejects with ECONNRESET after what the peer wrote, when the peer vanishes', async () => {
    const done = outcome(start())
    peer.write('last words')
    expect(String((await once(output, 'data'))[0])).to.equal('last words')
    peer.destroy()
    expect(isConduitError(await done, 'ECONNRESET')).to.equal(true)
  })

  it('rejects with the reason of its signal, and the peer sees a reset', async () => {
    const abort = controller()
    const done = outcome(start({ signal: abort.signal }))
    const failed = once(peer, 'error')
    peer.resume()
    abort.abort(new Interrupted('SIGINT'))
    expect(await done).to.be.instanceOf(Interrupted)
    expect((await failed)[0].code).to.equal('ECONNRESET')
  })

  it('rejects at once when its signal has aborted before', async () => {
    const reason = new Interrupted('SIGTERM')
    expect(await outcome(start({ signal: AbortSignal.abort(reason) }))).to.equal(reason)
  })

  it('rejects with SYSTEM when the input fails, and the peer sees no end', async () => {
    const done = outcome(start())
    const failed = once(peer, 'error')
    peer.resume()
    input.destroy(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }))
    const error = await done
    expect(isConduitError(error, 'SYSTEM') && error.errno).to.equal('EIO')
    expect((await failed)[0].code).to.equal('ECONNRESET')
  })

  it('rejects with OutputClosed when nobody reads the output', async () => {
    const done = outcome(start())
    output.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    expect(await done).to.be.instanceOf(OutputClosed)
  })

  it('leaves what nobody reads to the peer, which finds it unread', async () => {
    const stuck = new Writable({ write: () => undefined })
    const done = outcome(relay(socket, { input, output: stuck }, { signal: controller().signal }))
    input.end()
    peer.resume()
    await once(peer, 'end')
    peer.channel?.linger()
    const failed = once(peer, 'error')
    peer.end('never written out')
    await pair.hypervisor.settle()
    stuck.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    expect(await done).to.be.instanceOf(OutputClosed)
    expect((await failed)[0])
      .to.include({ code: 'EPIPE' })
      .and.to.have.property('message')
      .that.contains('17 bytes')
  })

  it('resolves only when the peer has handed on what was sent', async () => {
    peer.channel?.holdReads()
    let resolved = false
    const done = start().then(() => {
      resolved = true
    })
    peer.end()
    input.end('there')
    expect(String((await once(peer, 'data'))[0])).to.equal('there')
    await pair.hypervisor.settle()
    expect(resolved).to.equal(false)
    peer.channel?.release(5)
    await done
  })

  it('with keepLocal ends with the peer, and leaves both streams to the next connection', async () => {
    const done = start({ keepLocal: true })
    input.write('one')
    peer.end('first')
    expect(await readAll(peer)).to.equal('one')
    await done
    expect([input.destroyed, output.writableEnded]).to.deep.equal([false, false])

    const second = await vchanPair()
    const [secondPeer, secondSocket] = [second.server, second.client].map(
      (channel) => new ConduitSocket(channel, { allowHalfOpen: true }),
    )
    const secondDone = relay(secondSocket!, { input, output }, { signal: controller().signal, keepLocal: true })
    input.write('two')
    expect(String((await once(secondPeer!, 'data'))[0])).to.equal('two')
    secondPeer!.end('second')
    secondPeer!.resume()
    await secondDone
    await second.close()
    expect(String(output.read())).to.equal('firstsecond')
  })

  it('with keepLocal and an input at its end, ends its direction at once', async () => {
    input.end()
    input.resume()
    await once(input, 'end')
    const done = start({ keepLocal: true })
    expect(await readAll(peer)).to.equal('')
    peer.end()
    await done
  })

  it('ends when the peer closes after its end, though the input stays open', async () => {
    const done = start()
    peer.end('that is all', () => peer.destroy())
    await done
    expect(String(output.read())).to.equal('that is all')
  })

  it('rejects with ETIMEDOUT when nothing moves for the time allowed', async () => {
    // The connection's timer is the system's and holds no event loop.
    const hold = setInterval(() => undefined, 1000)
    const error = await outcome(start({ idleMs: 20 }))
    clearInterval(hold)
    expect(isConduitError(error, 'ETIMEDOUT')).to.equal(true)
  })
})
