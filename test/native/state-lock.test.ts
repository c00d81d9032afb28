// One jitsud a state file, for as long as its process lives.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ConduitError } from '../../src/errors.js'
import { StateLock } from '../../src/jitsu/state-lock.js'

describe('the lock of a state file', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-state-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('is one’s own until it is released, and makes the folder', () => {
    const file = join(directory, 'made', 'state.json')
    const lock = StateLock.acquire(file)
    expect(() => StateLock.acquire(file))
      .to.throw(ConduitError, 'another jitsud keeps')
      .with.property('code', 'EADDRINUSE')
    lock.release()
    lock.release()
    StateLock.acquire(file).release()
    expect(existsSync(file)).to.equal(false)
  })

  it('cannot be had where no file can be', () => {
    const error = expect(() => StateLock.acquire('/proc/nothing/state.json')).to.throw(ConduitError)
    error.with.property('code', 'SYSTEM')
    error.with.property('hint').that.contains('name a file')
  })
})
