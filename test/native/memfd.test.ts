// Files that a peer may pass for shared memory: only what can neither shrink nor surprise a mapping counts as that.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { native } from '../../src/native.js'

/** linux/memfd.h and linux/fcntl.h: flags and seals by name, from the interpreter that node-gyp needs anyway. */
const MAKE = `
import fcntl, os, sys
flags, seals = os.MFD_ALLOW_SEALING, 0
for word in sys.argv[1:]:
    if word == 'huge': flags |= os.MFD_HUGETLB
    else: seals |= {'seal': 1, 'shrink': 2, 'grow': 4, 'write': 8}[word]
fd = os.memfd_create('conduit-test', flags)
os.ftruncate(fd, 2 << 20)
fcntl.fcntl(fd, 1033, seals)
print(fd, flush=True)
sys.stdin.read()
`

describe('addon: memfds of a peer', () => {
  let folder: string
  let peer: ChildProcess | undefined

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-'))
  })
  afterEach(async () => {
    if (peer !== undefined) {
      peer.stdin!.end()
      await once(peer, 'exit')
    }
    peer = undefined
    rmSync(folder, { recursive: true })
  })

  /** A memfd made by another process, opened here; undefined where the kernel makes none of that kind. */
  async function memfd(...kind: string[]): Promise<number | undefined> {
    peer = spawn('python3', ['-c', MAKE, ...kind], { stdio: ['pipe', 'pipe', 'ignore'] })
    const exit = once(peer, 'exit').then(() => undefined)
    const line = await Promise.race([once(peer.stdout!, 'data'), exit])
    if (line === undefined) peer = undefined
    return line && openSync(`/proc/${peer!.pid}/fd/${Number(line[0])}`, 'r+')
  }

  function verdict(fd: number): string {
    try {
      return String(native().sealedBytes(fd))
    } catch (error) {
      return (error as NodeJS.ErrnoException).code!
    } finally {
      closeSync(fd)
    }
  }

  before(function () {
    if (spawnSync('python3', ['-c', 'import os; os.memfd_create']).status !== 0) {
      this.test!.title += ' (needs python3)'
      this.skip()
    }
  })

  it('count when they are sealed against shrinking and growing, whatever other seals there are', async () => {
    expect(verdict((await memfd('shrink', 'grow'))!)).to.equal(String(2 << 20))
  })

  it('are refused while they could still shrink or grow', async () => {
    for (const seals of [[], ['shrink'], ['grow'], ['seal'], ['write']]) {
      expect(verdict((await memfd(...seals))!), seals.join()).to.equal('EPERM')
      peer!.stdin!.end()
      await once(peer!, 'exit')
    }
    peer = undefined
  })

  it('are refused when they are of huge pages, however well sealed', async function () {
    const fd = await memfd('huge', 'shrink', 'grow')
    if (fd === undefined) {
      this.test!.title += ' (needs a kernel with hugetlbfs)'
      this.skip()
    }
    expect(verdict(fd)).to.equal('EPERM')
  })

  it('are the only files that count: no file on disk, no device, no pipe, no socket', () => {
    expect(verdict(openSync(join(folder, 'file'), 'w+'))).to.equal('EINVAL')
    expect(verdict(openSync('/dev/zero', 'r+'))).to.equal('EINVAL')
    const [a, b] = native().socketPair(false)
    for (const fd of [a, b]) expect(() => native().sealedBytes(fd)).to.throw()
    for (const fd of [a, b]) native().closeFd(fd)
  })
})
