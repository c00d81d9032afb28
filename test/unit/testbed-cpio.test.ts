// The archives of the testbed, read back by what reads them in the machine's kind: busybox and Linux know this format.
import { expect } from 'chai'
import { type CpioEntry, cpioArchive } from '../../testbed/cpio.js'

interface Unpacked {
  readonly name: string
  readonly mode: number
  readonly data: string
}

/** Reads as init/initramfs.c does: a header of 110 characters, name and data padded to four bytes. */
function unpack(archive: Buffer): Unpacked[] {
  const entries: Unpacked[] = []
  for (let at = 0; ; ) {
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)
    expect(archive.toString('latin1', at, at + 6)).to.equal('070701')
    const [mode, size, nameBytes] = [field(1), field(6), field(11)]
    const name = archive.toString('utf8', at + 110, at + 110 + nameBytes - 1)
    expect(archive[at + 110 + nameBytes - 1], 'the NUL behind a name').to.equal(0)
    const data = Math.ceil((at + 110 + nameBytes) / 4) * 4
    if (name === 'TRAILER!!!') return entries
    entries.push({ name, mode, data: archive.toString('utf8', data, data + size) })
    at = Math.ceil((data + size) / 4) * 4
  }
}

function pack(...entries: CpioEntry[]): Buffer {
  return Buffer.concat([...cpioArchive(entries)])
}

const file = (path: string, text: string, executable = false): CpioEntry => {
  return { path, kind: 'file', data: Buffer.from(text), executable }
}

describe('cpio', () => {
  it('holds files, programs, links and folders, each folder before what is in it', () => {
    const archive = pack(
      file('a/b/c', 'text'),
      file('a/program', '#!', true),
      { path: 'a/link', kind: 'link', target: '/a/b' },
      { path: 'empty', kind: 'folder' },
    )
    expect(unpack(archive)).to.deep.equal([
      { name: 'a', mode: 0o040755, data: '' },
      { name: 'a/b', mode: 0o040755, data: '' },
      { name: 'a/b/c', mode: 0o100644, data: 'text' },
      { name: 'a/program', mode: 0o100755, data: '#!' },
      { name: 'a/link', mode: 0o120777, data: '/a/b' },
      { name: 'empty', mode: 0o040755, data: '' },
    ])
  })

  it('pads names and data of every length to four bytes', () => {
    for (let length = 0; length <= 9; length++) {
      const [name, text] = ['n'.repeat(length + 1), 'd'.repeat(length)]
      const archive = pack(file(name, text), file('last', 'x'))
      expect(unpack(archive).map(({ data }) => data)).to.deep.equal([text, 'x'])
      expect(archive.length % 4).to.equal(0)
    }
  })

  it('counts the bytes of a name, not its characters', () => {
    expect(unpack(pack(file('ü–€', 'x'), file('z', 'y'))).map(({ name }) => name)).to.deep.equal(['ü–€', 'z'])
  })

  it('is the same whoever writes it, and when', () => {
    const archive = pack(file('a/b', 'x'))
    const owner = archive.toString('latin1', 6 + 2 * 8, 6 + 4 * 8)
    const time = archive.toString('latin1', 6 + 5 * 8, 6 + 6 * 8)
    expect([owner, time]).to.deep.equal(['0'.repeat(16), '0'.repeat(8)])
    expect(pack(file('a/b', 'x')).equals(archive)).to.equal(true)
  })

  it('refuses two entries of one path, and paths that lead elsewhere', () => {
    expect(() => pack(file('a', '1'), file('a', '2'))).to.throw(RangeError, /two entries for a/)
    for (const path of ['', '/a', 'a//b', 'a/../b', './a', 'a/', 'a\0b', `${'x'.repeat(4096)}`]) {
      expect(() => pack(file(path, '')), JSON.stringify(path)).to.throw(RangeError)
    }
  })

  it('takes a folder that is there already', () => {
    const archive = pack(file('a/b', 'x'), { path: 'a', kind: 'folder' })
    expect(unpack(archive).map(({ name }) => name)).to.deep.equal(['a', 'a/b'])
  })
})
