// The environment that connect() and createServer() share: opened by the first use, gone after the last.
import { expect } from 'chai'
import type { Conduit } from '../../src/conduit/conduit.js'
import { SharedConduit } from '../../src/conduit/shared-conduit.js'
import { turns } from '../support/eventually.js'
import { ManualClock } from '../support/manual-clock.js'

describe('the environment that a thread shares', () => {
  let clock: ManualClock
  let log: string[]
  let failing: boolean
  let lastBreath: Set<() => void>
  let shared: SharedConduit

  beforeEach(() => {
    clock = new ManualClock()
    log = []
    failing = false
    lastBreath = new Set()
    let count = 0
    shared = new SharedConduit({
      open: async () => {
        if (failing) throw new Error('no substrate')
        const id = ++count
        log.push(`open ${id}`)
        return { close: async () => void log.push(`close ${id}`) } as unknown as Conduit
      },
      clock,
      lingerMs: 1000,
      onLastBreath: (callback) => {
        lastBreath.add(callback)
        return () => void lastBreath.delete(callback)
      },
    })
  })

  it('opens with the first user and serves all of them', async () => {
    const leases = await Promise.all([shared.acquire(), shared.acquire(), shared.acquire()])
    expect(log).to.deep.equal(['open 1'])
    expect(new Set(leases.map(({ conduit }) => conduit)).size).to.equal(1)
  })

  it('closes some time after the last user has gone', async () => {
    const [first, second] = [await shared.acquire(), await shared.acquire()]
    first.release()
    first.release()
    clock.advance(10_000)
    await turns()
    expect(log).to.deep.equal(['open 1'])
    second.release()
    clock.advance(999)
    await turns()
    expect(log).to.deep.equal(['open 1'])
    clock.advance(1)
    await turns()
    expect(log).to.deep.equal(['open 1', 'close 1'])
    expect(lastBreath.size).to.equal(0)
  })

  it('stays when somebody comes before that', async () => {
    ;(await shared.acquire()).release()
    clock.advance(999)
    const lease = await shared.acquire()
    clock.advance(10_000)
    await turns()
    expect(log).to.deep.equal(['open 1'])
    lease.release()
  })

  it('opens anew after it has closed, and not before', async () => {
    ;(await shared.acquire()).release()
    clock.advance(1000)
    await shared.acquire()
    expect(log).to.deep.equal(['open 1', 'close 1', 'open 2'])
  })

  it('closes at once when nothing else keeps the process alive', async () => {
    ;(await shared.acquire()).release()
    for (const callback of lastBreath) callback()
    await turns()
    expect(log).to.deep.equal(['open 1', 'close 1'])
    expect(clock.waiting).to.equal(0)
  })

  it('tries again after it could not be opened', async () => {
    failing = true
    const outcomes = await Promise.allSettled([shared.acquire(), shared.acquire()])
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
    failing = false
    await shared.acquire()
    expect(log).to.deep.equal(['open 1'])
  })
})
