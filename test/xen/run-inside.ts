// Runs the test files of a domain in that domain: the main program of `npm run test:xen` in dom0 and in guests. Reports by
// records on stdout. Arguments: dom0|pv|pvh [parts of the names of the files, with commas]
import { readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import Mocha from 'mocha'
import { formatRecord, type TestRecord } from '../../testbed/test-records.js'

const [domain, parts = ''] = process.argv.slice(2)
const inside = join(import.meta.dirname, 'inside')
const folders = domain === 'dom0' ? [inside, join(inside, 'each-domain')] : [join(inside, 'each-domain')]

/** One write a record: what tests print comes between records, not into one. */
function report(record: TestRecord): void {
  writeSync(1, formatRecord(record))
}

class RecordReporter {
  constructor(runner: Mocha.Runner) {
    const { EVENT_TEST_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING, EVENT_RUN_END } =
      Mocha.Runner.constants
    let reported = 0
    const settled = (record: TestRecord) => {
      reported += 1
      report(record)
    }
    runner.on(EVENT_TEST_BEGIN, (test) => report({ event: 'begin', path: test.titlePath() }))
    runner.on(EVENT_TEST_PASS, (test) => {
      settled({ event: 'pass', path: test.titlePath(), milliseconds: test.duration ?? 0 })
    })
    runner.on(EVENT_TEST_PENDING, (test) => settled({ event: 'pending', path: test.titlePath() }))
    // A hook that fails comes here too, under a title of its own.
    runner.on(EVENT_TEST_FAIL, (test, error: Error) => {
      settled({ event: 'fail', path: test.titlePath(), message: error.message, stack: error.stack ?? '' })
    })
    runner.on(EVENT_RUN_END, () => report({ event: 'end', tests: reported }))
  }
}

process.env.CONDUIT_TESTBED_DOMAIN = domain
const mocha = new Mocha({ reporter: RecordReporter as unknown as Mocha.ReporterConstructor, timeout: 120_000 })
for (const folder of folders) {
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith('.test.js') && parts.split(',').some((part) => name.includes(part)))
      mocha.addFile(join(folder, name))
  }
}
await mocha.loadFilesAsync()
// What a failed test leaves open keeps nothing alive.
mocha.run((failures) => process.exit(failures === 0 ? 0 : 1))
