import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { expect } from 'chai'
import { native } from '../../src/native.js'
import { keepOpen } from '../../src/substrate/xen/keep-open.js'

describe('a descriptor that is kept open', () => {
  it('outlives its closing here, in a process of a session of its own', async () => {
    const [kept, other] = native().socketPair(true)
    const pid = keepOpen(kept)!
    native().closeFd(kept)
    native().releaseFd(other)
    const hangUp = once(new Socket({ fd: other }).resume(), 'end')
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')
    expect(Number(status[5]), 'its session').to.equal(pid)
    let ended = false
    void hangUp.then(() => {
      ended = true
    })
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    expect(ended).to.equal(false)
    process.kill(pid, 'SIGKILL')
    await hangUp
  })
})
