// Shows the tests that run in the machine as tests of this side: same titles, same failures. The machine runs while this
// file is loaded, since mocha must know the tests before it starts; what happens in there is told on stderr meanwhile.

import { ARCHITECTURES } from '../../testbed/architecture.js'
import type { TestResult } from '../../testbed/test-outcome.js'
import type { TestRecord } from '../../testbed/test-records.js'
import { runXenTests, TEST_DOMAINS, type TestDomain } from '../../testbed/xen-tests.js'

const NAMES: Record<TestDomain, string> = { dom0: 'in dom0', pv: 'in a PV guest', pvh: 'in a PVH guest' }
const MARKS = { pass: '✔', pending: '-', fail: '✘' }

function follow(domain: TestDomain, record: TestRecord): void {
  if (record.event === 'begin' || record.event === 'end') return
  const time = record.event === 'pass' ? ` (${record.milliseconds} ms)` : ''
  console.error(`${domain} ${MARKS[record.event]} ${record.path.join(' ')}${time}`)
}

/** Neighbours with the same suite share it. */
function define(results: readonly TestResult[], depth = 0): void {
  for (let at = 0; at < results.length; ) {
    const title = results[at]!.path[depth]!
    if (results[at]!.path.length === depth + 1) {
      defineTest(title, results[at]!)
      at += 1
      continue
    }
    let end = at
    while (results[end] !== undefined && results[end]!.path.length > depth + 1 && results[end]!.path[depth] === title)
      end += 1
    const suite = results.slice(at, end)
    describe(title, () => define(suite, depth + 1))
    at = end
  }
}

function defineTest(title: string, { state, message, stack }: TestResult): void {
  if (state === 'pending') {
    it(title)
    return
  }
  it(title, () => {
    if (state === 'passed') return
    // The stack of in there; what has none must not get this line's.
    throw Object.assign(new Error(message), { stack: stack || message })
  })
}

/** One of the words that a variable may hold; a wrong one must not make a run of nothing. */
function word<const T extends string>(variable: string, text: string, words: readonly T[]): T {
  const found = words.find((known) => known === text)
  if (found === undefined) throw new Error(`${variable} knows ${words.join(', ')}, not ${JSON.stringify(text)}`)
  return found
}

async function results() {
  const {
    CONDUIT_XEN_DOMAINS,
    CONDUIT_XEN_STORED = 'c',
    CONDUIT_XEN_FILES = '',
    CONDUIT_XEN_ARCH = 'x86_64',
    CONDUIT_XEN_CYCLES,
  } = process.env
  const domains = CONDUIT_XEN_DOMAINS?.split(',').map((name) => word('CONDUIT_XEN_DOMAINS', name, TEST_DOMAINS))
  const xenstored = word('CONDUIT_XEN_STORED', CONDUIT_XEN_STORED, ['c', 'ocaml'])
  const architecture = word('CONDUIT_XEN_ARCH', CONDUIT_XEN_ARCH, ARCHITECTURES)
  const chosen = domains === undefined ? {} : { domains }
  const variables = CONDUIT_XEN_CYCLES === undefined ? {} : { CONDUIT_XEN_CYCLES }
  return runXenTests({ architecture, xenstored, ...chosen, files: CONDUIT_XEN_FILES, variables, onRecord: follow })
}

const outcome = await results().catch((error: Error) => error)

if (outcome instanceof Error) {
  describe('Xen', () => {
    it('boots', () => {
      throw outcome
    })
  })
} else {
  for (const [domain, list] of outcome) describe(NAMES[domain], () => define(list))
}
