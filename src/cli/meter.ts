// The meter of --meter: what goes through, on stderr, twice a second on a terminal and as plain lines elsewhere. Never
// keeps the process alive, and stops when stderr has gone.
import type { Diagnostics } from './diagnostics.js'
import { formatBytes, formatRate } from './quantity.js'
import type { Traffic, TrafficTotals } from './traffic.js'

/** Time as the meter sees it. */
export interface MeterClock {
  nowMs(): number
  /** Returns the function that stops it. */
  every(periodMs: number, callback: () => void): () => void
}

const TERMINAL_PERIOD_MS = 500
const LINES_PERIOD_MS = 1000
const CLEAR_TO_END = '\u001b[K'

export const systemMeterClock: MeterClock = {
  nowMs: () => performance.now(),
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs).unref()
    return () => clearInterval(timer)
  },
}

export class Meter {
  readonly #traffic: Traffic
  readonly #diagnostics: Diagnostics
  readonly #clock: MeterClock
  readonly #startMs: number
  #lastMs: number
  #last: TrafficTotals
  #stop: () => void

  constructor(traffic: Traffic, diagnostics: Diagnostics, clock: MeterClock = systemMeterClock) {
    this.#traffic = traffic
    this.#diagnostics = diagnostics
    this.#clock = clock
    this.#startMs = clock.nowMs()
    this.#lastMs = this.#startMs
    this.#last = traffic.totals()
    this.#stop = clock.every(diagnostics.isTerminal ? TERMINAL_PERIOD_MS : LINES_PERIOD_MS, () => this.#tick())
  }

  /** Stop, with a last line on the whole. Idempotent. */
  stop(): void {
    if (this.#stop === stopped) return
    this.#stop()
    this.#stop = stopped
    const seconds = (this.#clock.nowMs() - this.#startMs) / 1000
    const { bytesIn, bytesOut, wakeups } = this.#traffic.totals()
    const text =
      `total: in ${formatBytes(bytesIn)} (${formatRate(bytesIn, seconds)})  ` +
      `out ${formatBytes(bytesOut)} (${formatRate(bytesOut, seconds)})  ` +
      `${wakeups} wake-ups  ${seconds.toFixed(2)} s`
    this.#show(text)
    if (this.#diagnostics.isTerminal) this.#diagnostics.write('\n')
  }

  #tick(): void {
    if (this.#diagnostics.gone) {
      this.#stop()
      return
    }
    const nowMs = this.#clock.nowMs()
    const totals = this.#traffic.totals()
    const seconds = (nowMs - this.#lastMs) / 1000
    this.#show(meterText(this.#last, totals, seconds, this.#traffic.ringFill()))
    this.#lastMs = nowMs
    this.#last = totals
  }

  #show(text: string): void {
    if (this.#diagnostics.isTerminal) this.#diagnostics.write(`\r${text}${CLEAR_TO_END}`)
    else this.#diagnostics.line(text)
  }
}

const stopped = (): void => undefined

function meterText(
  before: TrafficTotals,
  now: TrafficTotals,
  seconds: number,
  fill: { readonly in: number; readonly out: number } | undefined,
): string {
  const rate = (bytes: number): string => formatRate(bytes, seconds)
  const wakeups = seconds > 0 ? Math.round((now.wakeups - before.wakeups) / seconds) : 0
  const percent = (share: number): string => `${Math.round(100 * share)}%`
  const rings = fill === undefined ? 'no connection' : `ring in ${percent(fill.in)} out ${percent(fill.out)}`
  return (
    `in ${rate(now.bytesIn - before.bytesIn)} (${formatBytes(now.bytesIn)})  ` +
    `out ${rate(now.bytesOut - before.bytesOut)} (${formatBytes(now.bytesOut)})  ` +
    `${wakeups} wake-ups/s  ${rings}`
  )
}
