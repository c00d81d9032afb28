// How timelines are drawn, in the terminal and as SVG: both against what was looked at once and found right.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Timeline } from '../../src/jitsu/timeline.js'
import { timelineSvg } from '../../src/jitsu/timeline-svg.js'
import { timelineLines } from '../../src/jitsu/timeline-text.js'
import { PROJECT_ROOT } from '../../testbed/project.js'
import { readXml } from '../support/well-formed-xml.js'

const GOLDEN = join(PROJECT_ROOT, 'test/unit/golden')

const guest: Timeline = {
  service: 'www',
  number: 3,
  by: 'dns',
  startedAtMs: Date.UTC(2026, 10, 24, 12, 41, 3, 250),
  steps: {
    query: 0,
    launch: 0.4,
    built: 19.2,
    unpaused: 21,
    alive: 140.5,
    ready: 230,
    answered: 230.6,
    firstByte: 236,
  },
  askers: 4,
  outcome: 'ready',
}
const early: Timeline = {
  ...guest,
  service: 'mail',
  number: 1,
  by: 'hold',
  steps: { query: 0, answered: 0.2, launch: 0.9, ready: 1510 },
  askers: 1,
}
const failed: Timeline = {
  ...guest,
  service: 'shop',
  steps: { query: 0, launch: 0.3, alive: 40 },
  outcome: 'failed',
  error: 'exit status 1: <b>"no & kernel"</b>\u001b[2J\r\n\ud800\uffff',
}
const waiting: Timeline = { ...guest, service: 'db', steps: { query: 0 }, outcome: undefined }

/** The file's text; UPDATE_GOLDEN=1 writes it instead, to be looked at. */
function golden(name: string, text: string): string {
  const path = join(GOLDEN, name)
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, text)
  return readFileSync(path, 'utf8')
}

describe('a timeline in the terminal', () => {
  const drawn = (timeline: Timeline, columns?: number): string => timelineLines(timeline, { columns }).join('\n')

  it('is what it was when somebody last looked at it', () => {
    const text = `${[guest, early, failed, waiting].map((timeline) => drawn(timeline)).join('\n\n')}\n`
    expect(text).to.equal(golden('timelines.txt', text))
  })

  for (const columns of [50, 80, 132]) {
    it(`stays within ${columns} columns, and uses them`, () => {
      const widths = timelineLines(guest, { columns }).map((line) => line.length)
      expect(Math.max(...widths)).to.equal(columns)
    })
  }

  it('takes no less than 50 columns, whatever the terminal says', () => {
    expect(drawn(guest, 3)).to.equal(drawn(guest, 50))
  })

  it('has a bar for each phase, however short', () => {
    const [, , ...lines] = timelineLines(guest)
    expect(lines.map((line) => /[▏▎▍▌▋▊▉█]$/.test(line))).to.deep.equal(Array.from({ length: 7 }, () => true))
  })

  it('orders phases by time: an answer that did not wait comes first', () => {
    const labels = timelineLines(early).map((line) => line.trim().split(/\s{2,}/)[0])
    expect(labels.slice(2)).to.deep.equal(['answered', 'launched', 'ready'])
  })

  it('passes no control character of an error on', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those must not be there
    expect(drawn(failed)).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  })

  it('draws all that happened at once without dividing by nothing', () => {
    expect(drawn({ ...guest, steps: { query: 0, launch: 0, ready: 0 } }))
      .to.contain('ready')
      .and.not.contain('NaN')
  })
})

describe('a timeline as SVG', () => {
  it('is what it was when somebody last looked at it', () => {
    const text = timelineSvg([guest, early, failed, waiting])
    expect(text).to.equal(golden('timelines.svg', text))
  })

  it('is well-formed, whatever an error says', () => {
    const { texts } = readXml(timelineSvg([failed]))
    expect(texts.join('\n')).to.contain('exit status 1: <b>"no & kernel"</b>')
  })

  it('runs no script, loads nothing and links nowhere', () => {
    const { elements } = readXml(timelineSvg([guest, failed]))
    expect([...new Set(elements)].sort()).to.deep.equal(['g', 'path', 'rect', 'style', 'svg', 'text', 'title'])
    expect(timelineSvg([guest])).to.not.match(/href|url\(|@import|\son\w+=/)
  })

  it('stays within its page', () => {
    const svg = timelineSvg([guest, early])
    const width = Number(/width="(\d+)"/.exec(svg)![1])
    const ends = [...svg.matchAll(/<rect class="(?!page)\w+" x="([\d.]+)" y="\d+" width="([\d.]+)"/g)]
    expect(ends).to.have.length(10)
    expect(Math.max(...ends.map(([, x, w]) => Number(x) + Number(w)))).to.be.below(width - 150)
  })

  it('is a page that says so where nothing was summoned', () => {
    expect(readXml(timelineSvg([])).texts).to.include('No service was summoned yet.')
  })

  for (const totalMs of [0.003, 0.9, 7, 1000, 86_400_000]) {
    it(`has a few ticks on an axis of ${totalMs} ms`, () => {
      const svg = timelineSvg([{ ...guest, steps: { query: 0, ready: totalMs } }])
      expect(svg.match(/class="tick"/g)!.length).to.be.within(3, 7)
      expect(svg).to.not.contain('NaN')
    })
  }
})
