// The bench's tables.
import { expect } from 'chai'
import { markdownTable } from '../../bench/table.js'

const columns = [
  { title: 'through', numeric: false },
  { title: 'bytes/s', numeric: true },
]

describe('a bench table', () => {
  it('aligns text to the left, numbers to the right, and says so in Markdown', () => {
    const rows = [
      ['conduit', '4.20 GB/s'],
      ['tcp', '9 B/s'],
    ]
    expect(markdownTable(columns, rows).split('\n')).to.deep.equal([
      '| through |   bytes/s |',
      '| ------- | --------: |',
      '| conduit | 4.20 GB/s |',
      '| tcp     |     9 B/s |',
    ])
  })

  it('keeps a cell one cell whatever is in it', () => {
    const line = markdownTable(columns, [['a|b\nc', '1']]).split('\n')[2]
    expect(line).to.equal('| a\\|b c  |       1 |')
  })

  it('refuses a row with cells missing', () => {
    expect(() => markdownTable(columns, [['alone']])).to.throw(RangeError)
  })
})
