// What comes out of the machine, cut anywhere and mixed with anything: lines of the agent, records of the tests, output.
import { expect } from 'chai'
import { parseReport, startLine } from '../../testbed/agent-protocol.js'
import { lineSplitter } from '../../testbed/line-splitter.js'
import { OutputRelay } from '../../testbed/output-relay.js'
import { statusOfTwo } from '../../testbed/running.js'
import { TestOutcome } from '../../testbed/test-outcome.js'
import { formatRecord, RecordReader, type TestRecord } from '../../testbed/test-records.js'

/** Every way to cut the bytes once. */
function cuts(bytes: Buffer): [Buffer, Buffer][] {
  return Array.from(bytes, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)])
}

const passed: TestRecord = { event: 'pass', path: ['suite', 'tést'], milliseconds: 3 }

describe('lines of the agent', () => {
  it('are whole however they come', () => {
    for (const pieces of cuts(Buffer.from('ready\r\nexit 1 0\n\nrest'))) {
      const lines: string[] = []
      const split = lineSplitter((line) => lines.push(line))
      for (const piece of pieces) split(piece)
      expect(lines).to.deep.equal(['ready', 'exit 1 0', ''])
    }
  })

  it('carry output, ends and readiness', () => {
    const bytes = Buffer.from([0, 255, 10])
    expect(parseReport('ready')).to.deep.equal({ kind: 'ready' })
    expect(parseReport(`err 7 ${bytes.toString('base64')}`)).to.deep.equal({
      kind: 'output',
      id: 7,
      stream: 'stderr',
      bytes,
    })
    expect(parseReport('exit 12 137')).to.deep.equal({ kind: 'exit', id: 12, status: 137 })
  })

  it("are told from the kernel's", () => {
    for (const line of [
      '',
      'exit',
      'exit 1',
      'exit 1 x',
      'exit 1 2 3',
      'exit 1 2x',
      'an exit 1 0',
      'out 1',
      'out 1 ä',
      '[ 0.1] ready',
      'Kernel panic - not syncing',
    ]) {
      expect(parseReport(line), line).to.equal(undefined)
    }
  })

  it('hold a command of any characters in one line', () => {
    const line = startLine(3, "echo 'a\nb' €")
    expect(line).to.match(/^start 3 [A-Za-z0-9+/]+=*\n$/)
    expect(Buffer.from(line.split(' ')[2]!, 'base64').toString()).to.equal("echo 'a\nb' €")
  })
})

describe('records of tests', () => {
  function read(pieces: Buffer[]) {
    const [records, text] = [[] as TestRecord[], [] as string[]]
    const reader = new RecordReader(
      (record) => records.push(record),
      (piece) => text.push(piece),
    )
    for (const piece of pieces) reader.piece(piece)
    return { records, text: text.join('') }
  }

  it('are found among other output, also behind half a line of it, however they come', () => {
    const end: TestRecord = { event: 'end', tests: 1 }
    const stream = Buffer.from(`before\nhalf a line ${formatRecord(passed)}after €\n${formatRecord(end)}`)
    for (const pieces of cuts(stream)) {
      expect(read(pieces)).to.deep.equal({ records: [passed, end], text: 'before\nhalf a line after €\n' })
    }
  })

  it('keep line ends and separators of titles and messages', () => {
    const failed: TestRecord = { event: 'fail', path: ['a\nb'], message: 'x\x1ey\n', stack: 'at\n' }
    expect(read([Buffer.from(formatRecord(failed))]).records).to.deep.equal([failed])
  })

  it('that are cut off or of no known kind are output', () => {
    const { records, text } = read([
      Buffer.from('\x1e{"event":"pa\n\x1e{"event":"other","path":[]}\n\x1e{"event":"pass"}\n'),
    ])
    expect(records).to.deep.equal([])
    expect(text).to.equal('{"event":"pa\n{"event":"other","path":[]}\n{"event":"pass"}\n')
  })
})

describe('the outcome of a run in the machine', () => {
  function outcome(...records: TestRecord[]) {
    const outcome = new TestOutcome()
    for (const record of records) outcome.add(record)
    outcome.finish('the tail')
    return outcome.results.map(({ path, state, message }) => [path.join(' '), state, message])
  }

  it('is its tests, where it came to its end', () => {
    const failed: TestRecord = { event: 'fail', path: ['b'], message: 'no', stack: 'at' }
    const results = outcome(passed, failed, { event: 'pending', path: ['c'] }, { event: 'end', tests: 3 })
    expect(results).to.deep.equal([
      ['suite tést', 'passed', undefined],
      ['b', 'failed', 'no'],
      ['c', 'pending', undefined],
    ])
  })

  it('fails the test that was running when it was cut off, with what was printed last', () => {
    const results = outcome(passed, { event: 'begin', path: ['suite', 'second'] })
    expect(results[1]).to.deep.equal(['suite second', 'failed', 'the tail'])
  })

  it('fails when it was cut off between tests', () => {
    expect(outcome({ event: 'begin', path: passed.path }, passed)[1]).to.deep.equal([
      'the run comes to its end',
      'failed',
      'the tail',
    ])
  })

  it('fails when no test ran', () => {
    expect(outcome({ event: 'end', tests: 0 })).to.deep.equal([['at least one test runs', 'failed', 'the tail']])
    const pending = outcome({ event: 'pending', path: ['c'] }, { event: 'end', tests: 1 })
    expect(pending[1]).to.deep.equal(['at least one test runs', 'failed', 'the tail'])
  })

  it('fails when reports were lost', () => {
    expect(outcome(passed, { event: 'end', tests: 2 })[1]![0]).to.equal('every test is reported')
  })
})

describe('output of two commands at a time', () => {
  function relayed(wholeLines: boolean, ...pieces: string[]) {
    const written: string[] = []
    const write = (bytes: Uint8Array) => written.push(Buffer.from(bytes).toString())
    const relay = new OutputRelay(wholeLines, { stdout: write, stderr: write })
    for (const piece of pieces) relay.piece(Buffer.from(piece), 'stdout')
    relay.flush()
    return written
  }

  it('comes in whole lines, and the last one at the end', () => {
    expect(relayed(true, 'a', 'b\nc\nd', 'e', '\nf')).to.deep.equal(['ab\nc\n', 'de\n', 'f'])
  })

  it('comes as it is from one command', () => {
    expect(relayed(false, 'a', 'b\nc')).to.deep.equal(['a', 'b\nc'])
  })

  it('loses no last line of the command that is killed when the other ends', async () => {
    const written: string[] = []
    const write = (bytes: Uint8Array) => written.push(Buffer.from(bytes).toString())
    const command = (text: string, wait: () => Promise<{ status: number }>) => {
      const relay = new OutputRelay(true, { stdout: write, stderr: write })
      relay.piece(Buffer.from(text), 'stdout')
      return { relay, process: { wait } }
    }
    const dom0 = command('ends', async () => ({ status: 3 }))
    const domu = command('goes on', () => new Promise(() => undefined))
    expect(await statusOfTwo({ dom0, domu }, 'dom0')).to.equal(3)
    expect(written).to.deep.equal(['ends', 'goes on'])
  })
})
