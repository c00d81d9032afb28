// Work that nobody waits for.
import { expect } from 'chai'
import { Background } from '../../src/conduit/background.js'

describe('background work', () => {
  it('that comes later begins after everything that is ready now, and closing waits for it', async () => {
    const background = new Background()
    const order: string[] = []
    background.later(async () => void order.push('bookkeeping'))
    process.nextTick(() => order.push('socket'))
    void Promise.resolve().then(() => order.push('continuation'))
    await background.settled()
    expect(order).to.have.members(['continuation', 'socket', 'bookkeeping'])
    expect(order.at(-1)).to.equal('bookkeeping')
  })

  it('fails nobody and holds nobody up when it fails', async () => {
    const background = new Background()
    background.run(Promise.reject(new Error('no')))
    background.later(() => Promise.reject(new Error('no')))
    await background.settled()
  })
})
