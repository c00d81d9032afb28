// `conduit-cat ping NAME`: how long a handshake by name takes, or with --echo a round trip through a peer that sends
// back what it gets.
import { type Conduit, ConduitError, openEnvironment } from '../index.js'
import { closePolitely } from './close-politely.js'
import { EchoProbe } from './echo-probe.js'
import { catchInterruption } from './interruption.js'
import { percentiles } from './percentiles.js'
import { formatMillis } from './quantity.js'

export interface PingOptions {
  readonly address: string
  readonly count: number
  readonly echo: boolean
  readonly payloadBytes: number
  readonly json: boolean
  readonly waitMs: number | undefined
  readonly spinMicros: number | undefined
}

/** One measured round, in milliseconds. */
type Round = () => Promise<number>

const DEFAULT_WAIT_MS = 10_000

/**
 * @param print gets each line for stdout as it is known
 * @throws ConduitError as connect(), ETIMEDOUT without an answer, ECONNRESET; the signal's reason
 */
export async function ping(options: PingOptions, print: (line: string) => void): Promise<void> {
  const signal = catchInterruption()
  await using conduit = await openEnvironment({ signal, attachTimeoutMs: options.waitMs })
  const samples: number[] = []
  const measure = async (round: Round): Promise<void> => {
    while (samples.length < options.count) {
      const millis = await round()
      samples.push(millis)
      if (!options.json) print(`${options.address}: ${what(options)} ${samples.length}: ${formatMillis(millis)}`)
    }
  }
  if (options.echo) {
    const probe = await openProbe(conduit, options, signal)
    await measure(() => probe.round()).finally(() => probe.close())
  } else {
    await measure(() => handshake(conduit, options, signal))
  }
  print(options.json ? JSON.stringify(result(options, samples)) : resultText(options, samples))
}

const what = ({ echo }: PingOptions): string => (echo ? 'echo' : 'handshake')

async function handshake(conduit: Conduit, options: PingOptions, signal: AbortSignal): Promise<number> {
  const startMs = performance.now()
  const { address, waitMs, spinMicros } = options
  const socket = await conduit.connect(address, { signal, timeoutMs: waitMs, spinMicros, pauseOnConnect: true })
  const millis = performance.now() - startMs
  await closePolitely(socket)
  return millis
}

async function openProbe(conduit: Conduit, options: PingOptions, signal: AbortSignal): Promise<EchoProbe> {
  const { address, waitMs = DEFAULT_WAIT_MS, spinMicros, payloadBytes } = options
  const socket = await conduit.connect(address, { signal, timeoutMs: waitMs, spinMicros })
  return new EchoProbe(socket, {
    payloadBytes,
    timeoutMs: waitMs,
    signal,
    onTimeout: () =>
      new ConduitError('ETIMEDOUT', `ping ${address}: no echo in ${waitMs / 1000} s`, {
        endpoint: address,
        hint: 'does the peer send back what it gets? `conduit-cat -kl NAME -e cat` does; without --echo handshakes are measured',
      }),
  })
}

function result(options: PingOptions, samples: readonly number[]): object {
  const { address, echo, payloadBytes } = options
  const bytes = echo ? { payloadBytes } : {}
  return { address, kind: what(options), count: samples.length, ...bytes, millis: percentiles(samples) }
}

function resultText(options: PingOptions, samples: readonly number[]): string {
  const { min, p50, p90, p99, max } = percentiles(samples)
  const size = options.echo ? ` of ${options.payloadBytes} B` : ''
  const spread = Object.entries({ min, p50, p90, p99, max }).map(([name, millis]) => `${name} ${formatMillis(millis)}`)
  return `${options.address}: ${samples.length} ${what(options)}s${size}: ${spread.join('  ')}`
}
