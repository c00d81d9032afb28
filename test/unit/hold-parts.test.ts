// The parts of a held address that need no socket: what is kept, whose turn it is, who belongs to whom, what is said.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { decodeHandover, encodeHandover, HandoverType, joinBytes, splitBytes } from '../../protocol/handover.js'
import { TrafficReport } from '../../src/adopt/traffic-report.js'
import { ConduitError } from '../../src/errors.js'
import { dialInTime } from '../../src/jitsu/hold/dial-in-time.js'
import { ResetLog } from '../../src/jitsu/hold/hold-log.js'
import { KeptBytes } from '../../src/jitsu/hold/kept-bytes.js'
import { belongsTo } from '../../src/jitsu/hold/process-group.js'
import { Turnstile } from '../../src/jitsu/hold/turnstile.js'
import { eventually, turns } from '../support/eventually.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'

describe('kept bytes', () => {
  it('grow with what comes, in order, and never beyond their limit', () => {
    const kept = new KeptBytes(5000)
    const sent = Buffer.from(Array.from({ length: 6000 }, (_, index) => index % 256))
    let at = 0
    while (!kept.full) {
      const room = kept.room()
      const taken = Math.min(room.length, 700)
      room.set(sent.subarray(at, at + taken))
      kept.filled(taken)
      at += taken
    }
    expect(at).to.equal(5000)
    expect(kept.room()).to.have.length(0)
    expect(kept.bytes.equals(sent.subarray(0, 5000))).to.equal(true)
  })

  it('take no more room than they need at first', () => {
    expect(new KeptBytes(2 ** 24).room().length).to.be.at.most(2048)
  })
})

describe('a turnstile', () => {
  it('lets in so many at once and the others in order; who gives up loses no turn of another', async () => {
    const turnstile = new Turnstile(1)
    const never = new AbortController().signal
    const givesUp = new AbortController()
    const order: string[] = []
    const leave = await turnstile.enter(never)
    const enter = (name: string, signal: AbortSignal) =>
      turnstile.enter(signal).then((go) => {
        order.push(name)
        go()
      })
    const second = enter('second', never)
    const third = rejectionOf(enter('third', givesUp.signal))
    const fourth = enter('fourth', never)
    givesUp.abort(new Error('gave up'))
    expect(await third).to.have.property('message', 'gave up')
    leave()
    await Promise.all([second, fourth])
    expect(order).to.deep.equal(['second', 'fourth'])
    ;(await turnstile.enter(never))()
  })
})

describe('dialling in time', () => {
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const options = { limitMs: 1000, signal: new AbortController().signal, target: '10.0.0.2:80' }

  it('tries again after what passes, pausing longer each time', async () => {
    const clock = new ManualClock()
    const stream = new PassThrough()
    let attempts = 0
    const attempt = async () => {
      if (++attempts < 4) throw refused
      return stream
    }
    const dialled = dialInTime({ ...options, clock, attempt })
    for (const pauseMs of [1, 2, 4]) {
      await eventually(() => clock.waiting === 2)
      clock.advance(pauseMs)
      await turns()
    }
    expect(await dialled).to.equal(stream)
    expect(clock.waiting).to.equal(0)
  })

  it('does not try again after what does not pass', async () => {
    const wrong = new ConduitError('CONDUIT_MODE', 'the server speaks messages')
    const attempt = () => Promise.reject(wrong)
    expect(await rejectionOf(dialInTime({ ...options, clock: new ManualClock(), attempt }))).to.equal(wrong)
  })

  it('ends with ETIMEDOUT and the last failure, and leaves no timer', async () => {
    const clock = new ManualClock()
    const dialled = rejectionOf(dialInTime({ ...options, clock, attempt: () => Promise.reject(refused) }))
    await eventually(() => clock.waiting === 2)
    clock.advance(1000)
    expect(await dialled).to.include({ code: 'ETIMEDOUT', endpoint: '10.0.0.2:80', cause: refused })
    expect(clock.waiting).to.equal(0)
  })
})

describe('the messages of a handover', () => {
  it('are read as they were written', () => {
    expect(decodeHandover(encodeHandover(HandoverType.MOVED, 7, 2 ** 32 - 1))).to.deep.equal({
      type: HandoverType.MOVED,
      words: [7, 2 ** 32 - 1],
    })
  })

  it('are nothing with a word too many, one too few, half a word or an unknown type', () => {
    const long = encodeHandover(HandoverType.TAKEN, 1, 2)
    for (const bytes of [
      long,
      long.subarray(0, 4),
      long.subarray(0, 7),
      new Uint8Array(0),
      encodeHandover(99 as never),
    ]) {
      expect(decodeHandover(bytes)).to.equal(undefined)
    }
  })

  it('carry any count of bytes that a process can have moved, and no other', () => {
    for (const bytes of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER])
      expect(joinBytes(...splitBytes(bytes))).to.equal(bytes)
    expect(joinBytes(0, 2 ** 32 - 1)).to.equal(undefined)
  })
})

describe('the process group of a process', () => {
  it('tells children of a launched process from everybody else', async () => {
    const leader = spawn('sh', ['-c', 'sleep 1000 & echo $!; wait'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [line] = (await once(leader.stdout, 'data')) as [Buffer]
    const child = Number(line.toString())
    expect(belongsTo(leader.pid!, leader.pid!)).to.equal(true)
    expect(belongsTo(child, leader.pid!)).to.equal(true)
    expect(belongsTo(process.pid, leader.pid!)).to.equal(false)
    process.kill(-leader.pid!, 'SIGKILL')
    await once(leader, 'close')
    expect(belongsTo(2 ** 22 + 1, leader.pid!)).to.equal(false)
  })
})

describe('the log of a held address', () => {
  it('has one line for a thousand clients of one cause, and the next only after a pause', async () => {
    const clock = new ManualClock()
    const lines: object[] = []
    const write = (fields: object) => void lines.push(fields)
    const log = new ResetLog({ info: write, warn: write }, { service: 'www' }, clock)
    const error = new ConduitError('BOOT_FAILED', 'exit status 1', { hint: 'look' })
    for (let client = 0; client < 1000; client++) log.add(error)
    await turns()
    expect(lines).to.deep.equal([
      { service: 'www', clients: 1000, reason: 'exit status 1', code: 'BOOT_FAILED', hint: 'look' },
    ])
    for (let client = 0; client < 5; client++) log.add(error)
    await turns()
    expect(lines).to.have.length(1)
    clock.advance(1000)
    expect(lines[1]).to.include({ clients: 5 })
  })
})

describe('the report of adopted connections', () => {
  it('says what moved once a second, and the rest with the last close', () => {
    const clock = new ManualClock()
    const said: number[] = []
    const report = new TrafficReport(clock, (bytes) => said.push(bytes))
    const [one, two] = [
      { bytesRead: 0, bytesWritten: 0 },
      { bytesRead: 0, bytesWritten: 0 },
    ]
    report.add(one)
    report.add(two)
    one.bytesRead = 10
    two.bytesWritten = 5
    clock.advance(1000)
    clock.advance(1000)
    expect(said).to.deep.equal([15])
    one.bytesRead = 11
    report.remove(one)
    two.bytesRead = 1
    report.remove(two)
    expect(said).to.deep.equal([15, 2])
    expect(clock.waiting).to.equal(0)
    expect(report.open).to.equal(0)
  })
})
