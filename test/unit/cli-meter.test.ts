// The meter against a clock of the test's own: what it shows, when, and when it stops.
import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { Diagnostics } from '../../src/cli/diagnostics.js'
import { Meter, type MeterClock } from '../../src/cli/meter.js'
import type { Traffic, TrafficTotals } from '../../src/cli/traffic.js'

const CLEAR_TO_END = '\u001b[K'
const NOTHING: TrafficTotals = { bytesIn: 0, bytesOut: 0, wakeups: 0, notifiesSent: 0, spinHits: 0, spinMisses: 0 }

class TestClock implements MeterClock {
  #nowMs = 0
  #tick: (() => void) | undefined
  periodMs = 0

  nowMs(): number {
    return this.#nowMs
  }

  every(periodMs: number, callback: () => void): () => void {
    this.periodMs = periodMs
    this.#tick = callback
    return () => {
      this.#tick = undefined
    }
  }

  get ticking(): boolean {
    return this.#tick !== undefined
  }

  pass(millis: number): void {
    this.#nowMs += millis
    this.#tick?.()
  }
}

describe('the meter', () => {
  const world = (isTTY: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY })
    const clock = new TestClock()
    let totals = NOTHING
    let fill: { in: number; out: number } | undefined
    const traffic = { totals: () => totals, ringFill: () => fill } as unknown as Traffic
    const meter = new Meter(traffic, new Diagnostics(stream), clock)
    return {
      clock,
      meter,
      stream,
      carry: (more: Partial<TrafficTotals>, ringFill?: { in: number; out: number }) => {
        totals = { ...totals, ...more }
        fill = ringFill
      },
      shown: () => String(stream.read() ?? ''),
    }
  }

  it('shows a plain line a second, with rates of that second alone', () => {
    const { clock, carry, shown } = world(false)
    carry({ bytesIn: 4096, wakeups: 10 }, { in: 0.25, out: 1 })
    clock.pass(1000)
    expect(shown()).to.equal('in 4 KiB/s (4 KiB)  out 0 B/s (0 B)  10 wake-ups/s  ring in 25% out 100%\n')
    carry({ bytesOut: 1024, wakeups: 14 })
    clock.pass(2000)
    expect(shown()).to.equal('in 0 B/s (4 KiB)  out 512 B/s (1 KiB)  2 wake-ups/s  no connection\n')
    expect(clock.periodMs).to.equal(1000)
  })

  it('redraws one line on a terminal, and leaves the last one standing', () => {
    const { clock, meter, shown } = world(true)
    clock.pass(500)
    expect(shown()).to.satisfy((text: string) => text.startsWith('\rin 0 B/s ') && text.endsWith(CLEAR_TO_END))
    meter.stop()
    expect(shown()).to.satisfy((text: string) => text.startsWith('\rtotal: ') && text.endsWith(`${CLEAR_TO_END}\n`))
  })

  it('stops with the whole, once', () => {
    const { clock, carry, meter, shown } = world(false)
    carry({ bytesIn: 2048, wakeups: 3 })
    clock.pass(2000)
    shown()
    meter.stop()
    meter.stop()
    expect(shown()).to.equal('total: in 2 KiB (1 KiB/s)  out 0 B (0 B/s)  3 wake-ups  2.00 s\n')
    expect(clock.ticking).to.equal(false)
  })

  it('stops when stderr has gone', () => {
    const { clock, stream } = world(false)
    stream.emit('error', Object.assign(new Error('gone'), { code: 'EPIPE' }))
    clock.pass(1000)
    expect(clock.ticking).to.equal(false)
  })
})
