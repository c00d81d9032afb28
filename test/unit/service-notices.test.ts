// What systemd is told: the words of sd_notify(3), in time, and nothing where nobody listens.
import { expect } from 'chai'
import { ServiceNotices } from '../../src/cli/service-notices.js'
import type { LogFields } from '../../src/jitsu/logger.js'
import { silentLogger } from '../../src/jitsu/logger.js'
import { turns } from '../support/eventually.js'
import { ManualClock } from '../support/manual-clock.js'

const SOCKET = '/run/systemd/notify'

function world(environment: NodeJS.ProcessEnv) {
  const clock = new ManualClock()
  const told: string[] = []
  const warned: [string, LogFields | undefined][] = []
  let answer: () => boolean = () => true
  const log = { ...silentLogger, warn: (text: string, fields?: LogFields) => void warned.push([text, fields]) }
  const send = (socket: string, bytes: Uint8Array): boolean => {
    const taken = answer()
    if (taken) told.push(`${socket} ${Buffer.from(bytes).toString()}`)
    return taken
  }
  const notices = ServiceNotices.fromEnvironment({ environment, log, clock, send })
  const behave = (next: () => boolean): void => {
    answer = next
  }
  return { clock, told, warned, notices, behave, environment }
}

describe('the notices to systemd', () => {
  it('say ready with a status in one line', async () => {
    const { notices, told } = world({ NOTIFY_SOCKET: SOCKET })
    await notices.ready('serving\n3 services')
    expect(told).to.deep.equal([`${SOCKET} READY=1\nSTATUS=serving 3 services`])
  })

  it('say reloading with the monotonic time, and stopping', async () => {
    const { notices, told } = world({ NOTIFY_SOCKET: '@of/systemd' })
    const before = process.hrtime.bigint() / 1000n
    await notices.reloading()
    await notices.stopping()
    const [, micros] = /^@of\/systemd RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(told[0]!)!
    expect(BigInt(micros!) >= before && BigInt(micros!) <= process.hrtime.bigint() / 1000n).to.equal(true)
    expect(told[1]).to.equal('@of/systemd STOPPING=1')
  })

  it('say nothing where nobody listens', async () => {
    const { notices, told, clock } = world({ WATCHDOG_USEC: '1000000' })
    await notices.ready('serving')
    await notices.reloading()
    await notices.stopping()
    expect([told, clock.waiting]).to.deep.equal([[], 0])
  })

  it('are not inherited by what is started later', () => {
    const { environment } = world({ NOTIFY_SOCKET: SOCKET, WATCHDOG_USEC: '1', WATCHDOG_PID: '1', PATH: '/bin' })
    expect(environment).to.deep.equal({ PATH: '/bin' })
  })

  it('answer the watchdog twice an interval from readiness on, and not after stopping', async () => {
    const { notices, told, clock } = world({ NOTIFY_SOCKET: SOCKET, WATCHDOG_USEC: '3000000' })
    clock.advance(10_000)
    expect(told).to.deep.equal([])
    await notices.ready('serving')
    await notices.ready('serving anew')
    for (const step of [1499, 1, 1499, 1]) clock.advance(step)
    expect(told.filter((text) => text.endsWith('WATCHDOG=1'))).to.have.length(2)
    await notices.stopping()
    expect(clock.waiting).to.equal(0)
  })

  it('answer no watchdog that watches another process', async () => {
    const { notices, clock } = world({ NOTIFY_SOCKET: SOCKET, WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' })
    await notices.ready('serving')
    expect(clock.waiting).to.equal(0)
  })

  for (const micros of ['0', '-5', '1e6', '', 'soon', '99999999999999999999']) {
    it(`take a watchdog's interval of "${micros}" for none`, async () => {
      const { notices, clock } = world({ NOTIFY_SOCKET: SOCKET, WATCHDOG_USEC: micros })
      await notices.ready('serving')
      expect(clock.waiting).to.equal(0)
    })
  }

  it('are tried again while systemd’s queue is full', async () => {
    const { notices, told, clock, behave } = world({ NOTIFY_SOCKET: SOCKET })
    behave(() => false)
    const ready = notices.ready('serving')
    for (let i = 0; i < 3; i++) {
      await turns(1)
      clock.advance(50)
    }
    behave(() => true)
    await turns(1)
    clock.advance(50)
    await ready
    expect(told).to.have.length(1)
  })

  it('are given up, and that is said, when the queue stays full', async () => {
    const { notices, warned, clock, behave } = world({ NOTIFY_SOCKET: SOCKET })
    behave(() => false)
    let over = false
    const ready = notices.ready('serving').then(() => {
      over = true
    })
    while (!over) {
      clock.advance(50)
      await turns(1)
    }
    await ready
    expect(warned).to.have.length(1)
    expect(warned[0]![0]).to.contain('takes no messages')
  })

  it('do not end the service when systemd cannot be reached', async () => {
    const { notices, warned, behave } = world({ NOTIFY_SOCKET: SOCKET })
    behave(() => {
      throw new Error('sendto ENOENT')
    })
    await notices.ready('serving')
    expect(warned).to.deep.equal([
      ['systemd cannot be told how jitsud is', { lost: 'READY=1', error: 'sendto ENOENT' }],
    ])
  })

  it('say that a socket of another family is not spoken to', async () => {
    const { notices, told, warned } = world({ NOTIFY_SOCKET: 'vsock:2:1234' })
    await notices.ready('serving')
    expect([told, warned.length]).to.deep.equal([[], 1])
  })
})
