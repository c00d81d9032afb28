import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parseProcStat } from '../../protocol/proc-stat.js'

describe('/proc/PID/stat', () => {
  it('tells of this process', () => {
    const stat = parseProcStat(readFileSync('/proc/self/stat', 'utf8'))
    expect(stat).to.deep.include({ pid: process.pid, parent: process.ppid })
    expect(stat?.startTicks).to.be.greaterThan(0)
  })

  it('is read past a program whose name looks like the fields behind it', () => {
    const numbers = Array.from({ length: 49 }, (_, index) => index + 4).join(' ')
    expect(parseProcStat(`42 (a) S 1 2 3 (b c) Z ${numbers}`)).to.deep.equal({
      pid: 42,
      state: 'Z',
      parent: 4,
      group: 5,
      session: 6,
      startTicks: 22,
    })
  })

  it('that is none is nothing', () => {
    for (const text of [
      '',
      '42',
      '42 (a)',
      '42 (a) S 1 2 3',
      `x (a) S ${'1 '.repeat(50)}`,
      `42 (a) S ${'x '.repeat(50)}`,
    ]) {
      expect(parseProcStat(text), text).to.equal(undefined)
    }
  })
})
