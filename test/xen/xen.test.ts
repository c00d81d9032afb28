// Shows the tests that run in the machine as tests of this side: same titles, same failures. The machine runs while this
// file is loaded, since mocha must know the tests before it starts; what happens in there is told on stderr meanwhile.

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

function chosenDomains(): readonly TestDomain[] {
  const chosen = process.env.CONDUIT_XEN_DOMAINS?.split(',') ?? TEST_DOMAINS
  return TEST_DOMAINS.filter((domain) => chosen.includes(domain))
}

const results = await runXenTests({
  xenstored: process.env.CONDUIT_XEN_STORED === 'ocaml' ? 'ocaml' : 'c',
  domains: chosenDomains(),
  files: process.env.CONDUIT_XEN_FILES ?? '',
  onRecord: follow,
}).catch((error: Error) => error)

if (results instanceof Error) {
  describe('Xen', () => {
    it('boots', () => {
      throw results
    })
  })
} else {
  for (const [domain, list] of results) describe(NAMES[domain], () => define(list))
}
