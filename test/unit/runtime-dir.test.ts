// The folder where a user's processes meet: whose it is, how long its name may be, and what is refused.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { isConduitError } from '../../src/errors.js'
import {
  chooseRuntimeDirectory,
  prepareRuntimeDirectory,
  runtimeDirectory,
} from '../../src/substrate/local/runtime-dir.js'

describe('local: runtime directory', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function refusal(directory: string): string {
    try {
      prepareRuntimeDirectory(directory)
    } catch (error) {
      if (isConduitError(error, 'RUNTIME_DIR')) {
        expect(error.hint).to.contain('CONDUIT_RUNTIME_DIR')
        return error.message
      }
      throw error
    }
    throw new Error(`${directory} was accepted`)
  }

  const lastResort = `/tmp/conduit-${process.getuid!()}`

  it('is CONDUIT_RUNTIME_DIR, else below XDG_RUNTIME_DIR, else in /tmp by uid', () => {
    expect(runtimeDirectory({ CONDUIT_RUNTIME_DIR: '/a', XDG_RUNTIME_DIR: folder })).to.equal('/a')
    expect(runtimeDirectory({ XDG_RUNTIME_DIR: folder })).to.equal(join(folder, 'conduit'))
    expect(runtimeDirectory({})).to.equal(lastResort)
  })

  it('is not below an XDG_RUNTIME_DIR that is not there, or is no path from the root', () => {
    for (const [session, why] of [
      [join(folder, 'nowhere'), 'is not there'],
      ['run', 'is not an absolute path'],
    ]) {
      const { directory, reason } = chooseRuntimeDirectory({ XDG_RUNTIME_DIR: session })
      expect(directory).to.equal(lastResort)
      expect(reason).to.equal(`XDG_RUNTIME_DIR, ${session}, ${why}`)
    }
  })

  it('is not below the XDG_RUNTIME_DIR of another user, whom a folder of ours would lock out', function () {
    if (process.getuid!() !== 0) {
      this.test!.title += ' (needs root, who can give a folder away)'
      this.skip()
    }
    const other = 12345
    chownSync(folder, other, other)
    const { directory, reason } = chooseRuntimeDirectory({ XDG_RUNTIME_DIR: folder })
    expect(directory).to.equal(lastResort)
    expect(reason).to.contain(`${folder}, belongs to uid ${other}`)
    expect(readdirSync(folder)).to.deep.equal([])
    // Asked for by name it is meant; who owns it is said all the same.
    expect(refusal(folder)).to.contain(`belongs to uid ${other}, not to 0`)
  })

  it('is made with mode 0700, whatever the umask', () => {
    const before = process.umask(0o022)
    const made = prepareRuntimeDirectory(join(folder, 'deep', 'conduit'))
    process.umask(before)
    expect(statSync(made).mode & 0o777).to.equal(0o700)
  })

  it('refuses one that others can reach', () => {
    chmodSync(folder, 0o750)
    expect(refusal(folder)).to.contain('mode 750')
  })

  it('refuses a symbolic link, which could be another user’s', () => {
    const target = join(folder, 'target')
    mkdirSync(target, { mode: 0o700 })
    symlinkSync(target, join(folder, 'link'))
    expect(refusal(join(folder, 'link'))).to.contain('not a folder')
  })

  it('refuses a file', () => {
    writeFileSync(join(folder, 'file'), '')
    expect(refusal(join(folder, 'file'))).to.match(/cannot be made|not a folder/)
  })

  it('refuses a path whose sockets would not fit into an address, by name', () => {
    const long = join(folder, 'x'.repeat(100))
    expect(refusal(long)).to.contain('too long').and.to.contain(long)
  })

  it('refuses a place where no folder can be made, rather than trying for ever', () => {
    expect(refusal('/proc/conduit-test')).to.contain('cannot be made')
    expect(refusal('/proc/conduit-test/deep/er')).to.contain('cannot be made')
  })

  it('refuses a relative path', () => {
    expect(refusal('conduit')).to.contain('not an absolute path')
  })
})
