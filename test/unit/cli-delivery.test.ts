// When a delivery gives bytes back to the ring: as soon as the stream has them, never before, never when it failed.
import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import { expect } from 'chai'
import { Delivery } from '../../src/cli/delivery.js'
import type { ConduitSocket } from '../../src/index.js'

class FakeSocket extends EventEmitter {
  readonly released: number[] = []
  paused = true
  readonly channel = { holdReads: (): void => undefined, release: (bytes: number) => this.released.push(bytes) }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }
}

type Taken = (error?: Error | null) => void

describe('a delivery', () => {
  let socket: FakeSocket
  beforeEach(() => {
    socket = new FakeSocket()
  })

  function deliverTo(output: Writable): Delivery {
    const delivery = new Delivery(socket as unknown as ConduitSocket, output)
    delivery.start()
    return delivery
  }

  it('releases what a stream takes at once before the next chunk is read', () => {
    deliverTo(new Writable({ write: (_chunk, _encoding, callback) => callback() }))
    socket.emit('data', Buffer.alloc(10))
    expect(socket.released).to.deep.equal([10])
    socket.emit('data', Buffer.alloc(5))
    expect(socket.released).to.deep.equal([10, 5])
  })

  it('releases what a stream takes later when it has, chunk by chunk, and holds the peer back meanwhile', async () => {
    const taken: Taken[] = []
    const output = new Writable({ highWaterMark: 8, write: (_chunk, _encoding, callback) => taken.push(callback) })
    deliverTo(output)
    socket.emit('data', Buffer.alloc(10))
    socket.emit('data', Buffer.alloc(5))
    expect([socket.released, socket.paused]).to.deep.equal([[], true])
    taken.shift()!()
    await new Promise(setImmediate)
    expect([socket.released, socket.paused]).to.deep.equal([[10], true])
    taken.shift()!()
    await new Promise(setImmediate)
    expect([socket.released, socket.paused]).to.deep.equal([[10, 5], false])
  })

  for (const sync of [true, false]) {
    it(`releases nothing of what a stream fails to take, ${sync ? 'at once' : 'later'}`, async () => {
      const fail = (callback: Taken): void => callback(new Error('write ENOSPC'))
      const output = new Writable({
        write: (_chunk, _encoding, callback) => (sync ? fail(callback) : setImmediate(fail, callback)),
      })
      output.on('error', () => undefined)
      deliverTo(output)
      socket.emit('data', Buffer.alloc(10))
      socket.emit('data', Buffer.alloc(5))
      await new Promise((resolve) => output.once('close', resolve))
      socket.emit('data', Buffer.alloc(1))
      await new Promise(setImmediate)
      expect(socket.released).to.deep.equal([])
    })
  }

  it('that was stopped takes nothing more, and does not resume when the stream drains', async () => {
    const taken: Taken[] = []
    const output = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, callback) => taken.push(callback) })
    const delivery = deliverTo(output)
    socket.emit('data', Buffer.alloc(10))
    delivery.stop()
    socket.emit('data', Buffer.alloc(10))
    taken.shift()!()
    await new Promise(setImmediate)
    expect([socket.released, socket.paused, taken]).to.deep.equal([[10], true, []])
  })
})
