// What is known of one domain's tests: the records that came, and whether the run came to its regular end.
import type { TestRecord } from './test-records.js'

/** One test as this side shows it. */
export interface TestResult {
  /** Titles of its suites and its own. */
  readonly path: readonly string[]
  readonly state: 'passed' | 'pending' | 'failed'
  /** Of a failure. */
  readonly message?: string
  readonly stack?: string
}

export class TestOutcome {
  readonly results: TestResult[] = []
  #running: readonly string[] | undefined
  #announced: number | undefined

  /** The next record. */
  add(record: TestRecord): void {
    switch (record.event) {
      case 'begin':
        this.#running = record.path
        break
      case 'end':
        this.#announced = record.tests
        break
      case 'fail':
        this.#settle({ path: record.path, state: 'failed', message: record.message, stack: record.stack })
        break
      default:
        this.#settle({ path: record.path, state: record.event === 'pass' ? 'passed' : 'pending' })
    }
  }

  /**
   * The run is over. Adds a failure when it did not end as a whole run does: cut off (the test that was running is the
   * one that failed), without the number of tests that it counted itself, or without any that ran.
   * @param why what ended it and what it printed last
   */
  finish(why: string): void {
    const ran = this.results.filter(({ state }) => state !== 'pending').length
    if (this.#announced === undefined) this.#fail(this.#running ?? ['the run comes to its end'], why)
    else if (ran === 0) this.#fail(['at least one test runs'], why)
    else if (this.#announced !== this.results.length) {
      this.#fail(['every test is reported'], `${this.#announced} counted, ${this.results.length} reported; ${why}`)
    }
  }

  #settle(result: TestResult): void {
    this.#running = undefined
    this.results.push(result)
  }

  #fail(path: readonly string[], why: string): void {
    this.results.push({ path, state: 'failed', message: why, stack: '' })
  }
}
