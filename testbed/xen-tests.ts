// Runs the tests that belong into the machine: in dom0, then those for every domain in a PV and in a PVH guest.

import { type Architecture, TARGETS } from './architecture.js'
import { curlFiles } from './curl.js'
import { startInGuest } from './guest-program.js'
import { Machine } from './machine.js'
import { PROJECT_IN_MACHINE } from './project.js'
import type { XenstoredKind } from './qemu.js'
import type { OutputListener, RemoteProcess } from './remote-process.js'
import { Silence } from './silence.js'
import { TestOutcome, type TestResult } from './test-outcome.js'
import { RecordReader, type TestRecord } from './test-records.js'

/** In the order in which they run. */
export const TEST_DOMAINS = ['dom0', 'pv', 'pvh'] as const
export type TestDomain = (typeof TEST_DOMAINS)[number]

function testDomains(architecture: Architecture): readonly TestDomain[] {
  return ['dom0', ...TARGETS[architecture].guestTypes]
}

/** Longer than any test in there may take by its own timeout (test/xen/run-inside.ts). */
const SILENCE_LIMIT_MS = 240_000
const GUEST_MEMORY = 576
/** What a failing run has printed last, in characters. */
const TAIL = 6000

export interface XenTestOptions {
  readonly architecture: Architecture
  readonly xenstored: XenstoredKind
  /** All that the architecture has unless given. */
  readonly domains?: readonly TestDomain[]
  /** Parts of the names of the test files to run, with commas; all unless given. */
  readonly files: string
  /** Of the tests' environment in there. */
  readonly variables?: Readonly<Record<string, string>>
  /** Told of each record as it comes. */
  readonly onRecord: (domain: TestDomain, record: TestRecord) => void
}

/** The results by domain. Rejects when no machine comes up. What happens later is a failed test of its domain. */
export async function runXenTests(options: XenTestOptions): Promise<Map<TestDomain, readonly TestResult[]>> {
  const { architecture, xenstored, domains = testDomains(architecture) } = options
  const machine = await Machine.boot({ architecture, xenstored, files: curlFiles(architecture) })
  try {
    const results = new Map<TestDomain, readonly TestResult[]>()
    for (const domain of domains) results.set(domain, await new DomainRun(machine, domain, options).results())
    return results
  } finally {
    await machine.stop()
  }
}

class DomainRun {
  readonly #machine: Machine
  readonly #domain: TestDomain
  readonly #options: XenTestOptions
  readonly #outcome = new TestOutcome()
  readonly #silence = new Silence(SILENCE_LIMIT_MS)
  readonly #reader: RecordReader
  #program: RemoteProcess | undefined
  #tail = ''

  constructor(machine: Machine, domain: TestDomain, options: XenTestOptions) {
    this.#machine = machine
    this.#domain = domain
    this.#options = options
    const onRecord = (record: TestRecord) => {
      this.#outcome.add(record)
      options.onRecord(domain, record)
    }
    this.#reader = new RecordReader(onRecord, (text) => this.#print(text))
  }

  async results(): Promise<readonly TestResult[]> {
    const end = await Promise.race([this.#run(), this.#silence.tooLong]).catch((error: Error) => error.message)
    this.#silence.stop()
    // One that fell silent must not take the next domain's processor; of one that has ended nothing is left.
    this.#program?.kill('SIGKILL')
    this.#outcome.finish(`${end}\nlast output:\n${this.#tail}\nconsole of dom0:\n${this.#machine.console()}`)
    return this.#outcome.results
  }

  async #run(): Promise<string> {
    const domain = this.#domain
    const run = `${PROJECT_IN_MACHINE}/dist/test/xen/run-inside.js`
    const variables = Object.entries(this.#options.variables ?? {}).map(
      ([name, value]) => `${name}=${shellWord(value)}`,
    )
    const command = `cd ${PROJECT_IN_MACHINE} && exec env ${variables.join(' ')} node --enable-source-maps --expose-gc ${run} ${domain} ${shellWord(this.#options.files)}`
    const listener: OutputListener = (bytes, stream) => {
      this.#silence.broken()
      if (stream === 'stdout') this.#reader.piece(bytes)
      else this.#print(bytes.toString())
    }
    if (domain === 'dom0') {
      this.#program = this.#machine.dom0.spawn(command, { keep: false })
      this.#program.onOutput(listener)
      return `ended with status ${(await this.#program.wait()).status}`
    }
    const { process, domid } = await startInGuest(
      this.#machine,
      { type: domain, memory: GUEST_MEMORY, command },
      listener,
    )
    this.#program = process
    // However it ends.
    const { status } = await process.wait().finally(() => this.#machine.dom0.run(`xl destroy ${domid}`))
    return `ended with status ${status}`
  }

  #print(text: string): void {
    this.#tail = (this.#tail + text).slice(-TAIL)
  }
}

/** Text as one word of a shell's, whatever is in it. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
