// Work that nobody waits for.
import { expect } from 'chai'
import { Background } from '../../src/conduit/background.js'
import { turns } from '../support/eventually.js'
import { ManualClock } from '../support/manual-clock.js'

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

  it('that waits for a pause begins when that is over, or when somebody waits for all of it', async () => {
    const background = new Background()
    const clock = new ManualClock()
    const begun: string[] = []
    background.afterPause(clock, 100, async () => void begun.push('first'))
    clock.advance(99)
    await turns()
    expect(begun).to.deep.equal([])
    clock.advance(1)
    await turns()
    expect(begun).to.deep.equal(['first'])
    background.afterPause(clock, 100, async () => void begun.push('second'))
    await background.settled()
    expect([begun, clock.waiting]).to.deep.equal([['first', 'second'], 0])
  })

  it('fails nobody and holds nobody up when it fails', async () => {
    const background = new Background()
    background.run(Promise.reject(new Error('no')))
    background.later(() => Promise.reject(new Error('no')))
    await background.settled()
  })
})
