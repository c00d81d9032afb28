// `npm run bench:dns`: answers of the DNS server for a running service, beside a bare UDP echo in Node in the same run. Each server has a
// process of its own; this one asks. Prints the table and keeps it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DNS_CLASS_IN, DNS_SAFE_BYTES, DNS_TYPE, decodeDnsMessage, encodeDnsQuery, rcodeOf } from '../protocol/dns.js'
import { type LoadResult, runLoad } from './dns-load.js'
import type { SubjectReport } from './dns-subject.js'
import { machine } from './machine.js'
import { median, summarize } from './statistics.js'
import { markdownTable } from './table.js'

interface Case {
  readonly label: string
  readonly server: 'echo' | 'dns'
  readonly name: string
  readonly window: number
  readonly rcode: number
}

interface Sample extends LoadResult {
  /** Of the server, for each answer. */
  readonly cpuMicros: number
}

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))
const SUBJECT = fileURLToPath(new URL('./dns-subject.js', import.meta.url))
const NAME = 'www.example.org'
const WARM_UP = 20_000
const COUNT = 100_000

const cases: readonly Case[] = [1, 16].flatMap((window) => [
  { label: 'UDP echo', server: 'echo' as const, name: NAME, window, rcode: 0 },
  { label: 'A of a running service', server: 'dns' as const, name: NAME, window, rcode: 0 },
  { label: 'a name that is not there', server: 'dns' as const, name: 'nope.example.org', window, rcode: 3 },
])

class Subject {
  readonly #process: ChildProcess
  readonly port: number

  private constructor(process: ChildProcess, port: number) {
    this.#process = process
    this.port = port
  }

  static async start(kind: 'echo' | 'dns'): Promise<Subject> {
    const process = fork(SUBJECT, [kind], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const [{ port }] = (await once(process, 'message')) as [SubjectReport]
    return new Subject(process, port!)
  }

  async cpuMicros(): Promise<number> {
    this.#process.send({})
    const [{ cpuMicros }] = (await once(this.#process, 'message')) as [SubjectReport]
    return cpuMicros!
  }

  async stop(): Promise<void> {
    this.#process.disconnect()
    await once(this.#process, 'exit')
  }
}

async function measure({ server, name, window, rcode }: Case): Promise<Sample> {
  const subject = await Subject.start(server)
  try {
    const edns = { udpBytes: DNS_SAFE_BYTES, version: 0, dnssecOk: false, extendedRcode: 0, options: [] }
    const query = encodeDnsQuery({ name, type: DNS_TYPE.A, class: DNS_CLASS_IN }, edns)
    const check = (answer: Buffer) => {
      if ((answer.readUInt16BE(2) & 0xf) !== rcode) throw new Error(`result code ${answer.readUInt16BE(2) & 0xf}`)
    }
    const load = { port: subject.port, query, window, check }
    await runLoad({ ...load, count: WARM_UP, check: (answer) => server === 'dns' && whole(answer, rcode) })
    await subject.cpuMicros()
    const result = await runLoad({ ...load, count: COUNT })
    return { ...result, cpuMicros: (await subject.cpuMicros()) / COUNT }
  } finally {
    await subject.stop()
  }
}

function whole(bytes: Buffer, rcode: number): void {
  const message = decodeDnsMessage(bytes)
  if ('problem' in message) throw new Error(message.problem)
  if (rcodeOf(message) !== rcode || message.answers.length + message.authorities.length !== 1) {
    throw new Error('the answer is another one')
  }
}

function table(rows: readonly { readonly each: Case; readonly samples: readonly Sample[] }[]): string {
  const of = (samples: readonly Sample[], key: keyof Sample) => median(samples.map((sample) => sample[key]))
  const echoOf = (window: number) => rows.find(({ each }) => each.server === 'echo' && each.window === window)!.samples
  const columns = ['', 'under way', 'answers/s', 'of the echo', 'p50 µs', 'p99 µs', 'server CPU µs']
  const cells = rows.map(({ each, samples }) => [
    each.label,
    String(each.window),
    Math.round(of(samples, 'perSecond')).toLocaleString('en'),
    (of(samples, 'perSecond') / of(echoOf(each.window), 'perSecond')).toFixed(2),
    of(samples, 'p50Micros').toFixed(0),
    of(samples, 'p99Micros').toFixed(0),
    of(samples, 'cpuMicros').toFixed(1),
  ])
  return markdownTable(
    columns.map((title, index) => ({ title, numeric: index > 0 })),
    cells,
  )
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' }, out: { type: 'string' } } })
  const samples = new Map<Case, Sample[]>(cases.map((each) => [each, []]))
  const runs = Number(values.runs)
  for (let run = 1; run <= runs; run++) {
    console.error(`run ${run} of ${runs}`)
    // In the opposite order every other time: neither the machine's mood nor what ran before favours one.
    for (const each of run % 2 === 1 ? cases : [...cases].reverse()) samples.get(each)!.push(await measure(each))
  }
  const rows = cases.map((each) => ({ each, samples: samples.get(each)! }))
  const text = `${table(rows)}\n`
  process.stdout.write(text)
  const kept = rows.map(({ each, samples: all }) => ({
    ...each,
    perSecond: summarize(all.map(({ perSecond }) => perSecond)),
    p99Micros: summarize(all.map(({ p99Micros }) => p99Micros)),
    samples: all,
  }))
  const out = values.out ?? RESULTS
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'dns.json'), `${JSON.stringify({ machine: machine(), runs, rows: kept }, undefined, 1)}\n`)
  writeFileSync(join(out, 'dns.md'), text)
}

await main()
