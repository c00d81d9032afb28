// The test that runs. What looks for a fact again and again stops when the test that asked is over, also after its time limit:
// mocha ends with the last of them.
let over = new AbortController()

/** Aborts when the test, or hook, that runs now is over. Never in a process that a test has started. */
export const testOver = (): AbortSignal => over.signal

function end(): void {
  over.abort(new Error('the test that waited for this is over'))
  over = new AbortController()
}

// Root hooks: after those of the suites, which may wait for something themselves.
if (typeof afterEach === 'function') {
  afterEach(end)
  after(end)
}
