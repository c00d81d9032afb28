// The store's bytes through /dev/xen/xenbus, over a fake of the device.
import { expect } from 'chai'
import { encodeXenstoreMessage, XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { NativeWake, PollEvent } from '../../src/native.js'
import { openXenbus } from '../../src/substrate/xen/xenbus-transport.js'
import type { XenstoreTransport } from '../../src/xenstore/transport.js'
import { FakeXen } from '../support/fake-xen.js'

const XENBUS = '/dev/xen/xenbus'

const message = (requestId: number, text: string): Buffer =>
  Buffer.from(
    encodeXenstoreMessage({ type: XENSTORE_TYPES.READ, requestId, transactionId: 0, payload: Buffer.from(text) }),
  )

describe('the store through /dev/xen/xenbus', () => {
  let xen: FakeXen
  let transport: XenstoreTransport

  beforeEach(() => {
    xen = new FakeXen()
    transport = openXenbus(xen.addon)
  })

  afterEach(() => {
    transport.close()
    expect(xen.leftovers()).to.deep.equal([])
  })

  const readable = () => xen.watcher(XENBUS).wake(NativeWake.EVENT, PollEvent.READABLE)

  it('gives the device the next message once the last is answered: it has one buffer for what it has not sent', () => {
    transport.onData(() => undefined)
    transport.send(Buffer.concat([message(1, 'domid\0'), message(2, 'name\0')]))
    transport.send(message(3, 'vm\0'))
    expect(xen.written).to.deep.equal([message(1, 'domid\0')])
    const event = Buffer.from(message(0, 'path\0token\0'))
    event.writeUInt32LE(XENSTORE_TYPES.WATCH_EVENT, 0)
    const reply = message(1, '3')
    xen.arriving.push(event, reply.subarray(0, 9))
    readable()
    expect(xen.written).to.have.lengthOf(1)
    xen.arriving.push(reply.subarray(9))
    readable()
    expect(xen.written).to.deep.equal([message(1, 'domid\0'), message(2, 'name\0')])
    xen.arriving.push(message(2, 'guest'))
    readable()
    expect(xen.written.at(-1)).to.deep.equal(message(3, 'vm\0'))
  })

  it('goes on where the device stopped taking bytes', () => {
    xen.takes = 5
    transport.send(message(1, 'domid\0'))
    expect(xen.written.map(({ length }) => length)).to.deep.equal([5, 17])
    expect(Buffer.concat(xen.written)).to.deep.equal(message(1, 'domid\0'))
  })

  it('a busy device is asked again, and later messages wait behind the first', async () => {
    xen.takes = 0
    transport.send(message(1, 'domid\0'))
    transport.send(message(2, 'name\0'))
    expect(xen.written).to.deep.equal([])
    await new Promise<void>((resolve) => {
      xen.onWritten = resolve
    })
    expect(xen.written).to.deep.equal([message(1, 'domid\0')])
  })

  it('hands on what arrives, in pieces of any size, each in memory of its own', () => {
    const received: Buffer[] = []
    transport.onData((bytes) => received.push(bytes as Buffer))
    xen.arriving.push(Buffer.from('ab'), Buffer.from('c'))
    readable()
    xen.arriving.push(Buffer.from('xy'))
    readable()
    expect(received.map(String)).to.deep.equal(['ab', 'c', 'xy'])
  })

  it('a flood is read in turns', () => {
    let pieces = 0
    transport.onData(() => pieces++)
    for (let i = 0; i < 100; i++) xen.arriving.push(Buffer.from('event'))
    readable()
    expect(pieces).to.be.within(1, 99)
    while (xen.arriving.length > 0) readable()
    expect(pieces).to.equal(100)
  })

  it('a receiver may close it in the middle of a flood', () => {
    let pieces = 0
    transport.onData(() => {
      pieces++
      transport.close()
    })
    xen.arriving.push(Buffer.from('a'), Buffer.from('b'))
    readable()
    expect(pieces).to.equal(1)
  })

  for (const call of ['readXenbus', 'writeXenbus']) {
    it(`an error of ${call} ends it with XENSTORE_DISCONNECTED and the kernel's reason, once`, async () => {
      xen.fail(call, 'EIO')
      let told = 0
      const ended = new Promise<Error | undefined>((resolve) => {
        transport.onClose((error) => {
          told++
          resolve(error)
        })
      })
      transport.onData(() => undefined)
      if (call === 'readXenbus') readable()
      else transport.send(message(1, 'domid\0'))
      expect(await ended).to.include({ code: 'XENSTORE_DISCONNECTED', errno: 'EIO' })
      transport.close()
      transport.send(message(2, 'name\0'))
      await new Promise((resolve) => setImmediate(resolve))
      expect([told, xen.written.length]).to.deep.equal([1, 0])
    })
  }
})
