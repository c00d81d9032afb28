// What conduit-cat shows: amounts, tables, percentiles, a control page, failures.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { controlPageLines } from '../../src/cli/control-page-text.js'
import { exitStatus, failureLine, Interrupted, OutputClosed } from '../../src/cli/exit-status.js'
import { listingLines } from '../../src/cli/ls.js'
import { percentiles } from '../../src/cli/percentiles.js'
import { formatBytes, formatMillis, formatRate } from '../../src/cli/quantity.js'
import { textTable } from '../../src/cli/text-table.js'
import { UsageError } from '../../src/cli/usage-error.js'
import { ConduitError } from '../../src/errors.js'
import { snapshotControlPage } from '../../src/vchan/control-page-snapshot.js'

describe('amounts', () => {
  const bytes: Record<number, string> = {
    0: '0 B',
    1023: '1023 B',
    1024: '1 KiB',
    1536: '1.50 KiB',
    [1024 ** 2 - 1]: '1 MiB',
    [256 * 1024 ** 2]: '256 MiB',
    [4.1 * 1024 ** 3]: '4.10 GiB',
  }
  for (const [amount, text] of Object.entries(bytes)) {
    it(`${amount} bytes read ${text}`, () => expect(formatBytes(Number(amount))).to.equal(text))
  }

  it('a rate over no time is nothing, not infinity', () => {
    expect(formatRate(1000, 0)).to.equal('0 B/s')
    expect(formatRate(2048, 2)).to.equal('1 KiB/s')
  })

  it('times choose their unit', () => {
    expect([0.0009, 0.85, 12.34, 999, 4050].map(formatMillis)).to.deep.equal([
      '1 µs',
      '850 µs',
      '12.3 ms',
      '999 ms',
      '4.05 s',
    ])
  })
})

describe('percentiles', () => {
  it('are measured values, by nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect(percentiles(samples)).to.deep.equal({ min: 1, p50: 50, p90: 90, p99: 99, max: 100 })
    expect(percentiles([7])).to.deep.equal({ min: 7, p50: 7, p90: 7, p99: 7, max: 7 })
  })

  it('of nothing are refused', () => {
    expect(() => percentiles([])).to.throw(RangeError)
  })
})

describe('a table', () => {
  it('puts numbers to the right, words to the left, and no blanks at the end', () => {
    const rows = [
      ['a', 5, 'x'],
      ['long', 1234, 'y'],
    ]
    expect(textTable(['N', 'COUNT', 'LAST'], rows)).to.deep.equal([
      'N     COUNT  LAST',
      'a         5  x',
      'long   1234  y',
    ])
  })

  it('of names and flows counts the flows of each name', () => {
    const flow = { state: 'established', client: domid(2), server: domid(1), name: 'web', port: undefined } as const
    const lines = listingLines({
      names: [
        { name: 'idle', domid: domid(3) },
        { name: 'web', domid: domid(1) },
      ],
      flows: [
        { ...flow, connectionId: '0123456789ab' },
        { ...flow, connectionId: '0123456789ac', port: 'http' },
      ],
      services: [],
      unlisted: [{ server: domid(1), count: 845 }],
    })
    expect(lines.slice(0, 3)).to.deep.equal(['NAME  DOMID  FLOWS', 'idle      3      0', 'web       1      2'])
    expect(lines[5]).to.equal('0123456789ab  web   *          1       2  established')
    expect(lines[6]).to.equal('0123456789ac  web   http       1       2  established')
    expect(lines.slice(7)).to.deep.equal(['and 845 more to domain 1, which has no lines for them'])
  })

  it('has the services of jitsud below, where there are any', () => {
    const services = [
      { name: 'mail', state: 'stopped' },
      { name: 'www', state: 'ready' },
    ] as const
    const lines = listingLines({ names: [], flows: [], services, unlisted: [] })
    expect(lines.slice(3)).to.deep.equal(['', 'SERVICE  STATE', 'mail     stopped', 'www      ready'])
  })
})

describe('a control page as text', () => {
  const page = (fill: (view: DataView) => void): string => {
    const buffer = new ArrayBuffer(4096)
    const view = new DataView(buffer)
    view.setUint16(16, 10, true)
    view.setUint16(18, 13, true)
    fill(view)
    return controlPageLines('x', snapshotControlPage(buffer)).join('\n')
  }

  it('says what is in the rings, also where the indices have wrapped', () => {
    const text = page((view) => {
      view.setUint32(0, 0xffff_ff00, true)
      view.setUint32(4, 0x100, true)
      view.setUint32(24, 1234, true)
      view.setUint32(28, 1235, true)
    })
    expect(text).to.match(/left +client->server +10 +1 KiB +256 +4294967040 +512 +50% +in the control page/)
    expect(text).to.match(/right server->client +13 +8 KiB +0 +0 +0 +0% +2 pages: 1234 1235/)
  })

  it('names live and notify states, and shows impossible ones as such', () => {
    const text = page((view) => {
      view.setUint8(20, 2)
      view.setUint8(21, 77)
      view.setUint8(22, 3)
      view.setUint8(23, 5)
    })
    expect(text).to.contain('client awaited (2), server impossible (77)')
    expect(text).to.contain('client to tell of writes+reads (3), server to tell of writes+impossible (5)')
    expect(text).to.contain('ends    none')
  })

  it('says why orders cannot be', () => {
    expect(page((view) => view.setUint16(16, 99, true))).to.match(/^fault +ring order 99/m)
  })
})

describe('a failure', () => {
  it('is one line with code, what was tried, and hint, whatever the peer put into it', () => {
    const error = new ConduitError('ENOENT', 'no "a\u001b[2J\nb"', { hint: 'look\nthere' })
    expect(failureLine(error)).to.equal('ENOENT: no "a [2J b" (look there)')
    expect(exitStatus(error)).to.equal(1)
  })

  it('of usage has status 2 and points to the help', () => {
    expect(failureLine(new UsageError('which NAME?'))).to.equal('which NAME? (see conduit-cat --help)')
    expect(exitStatus(new UsageError('x'))).to.equal(2)
  })

  it("that a signal or a closed output is ends without a word, with a shell's status", () => {
    for (const [error, status] of [
      [new Interrupted('SIGINT'), 130],
      [new Interrupted('SIGTERM'), 143],
      [new OutputClosed(), 141],
    ] as const) {
      expect([failureLine(error), exitStatus(error)]).to.deep.equal([undefined, status])
    }
  })

  it('that is no error of ours still has a code', () => {
    expect(failureLine(Object.assign(new Error('disk full'), { code: 'ENOSPC' }))).to.equal('ENOSPC: disk full')
    expect(failureLine('odd')).to.equal('SYSTEM: odd')
  })
})
