// The bench's charts: what is drawn is to scale, readable, and one well-formed document.
import { expect } from 'chai'
import { type Bar, barChart } from '../../bench/bar-chart.js'

const bar = (value: number, over: Partial<Bar> = {}): Bar => ({
  label: `bar of ${value}`,
  value,
  min: value,
  max: value,
  text: `${value} u`,
  kind: 'ours',
  ...over,
})
const chartOf = (...bars: Bar[]): string => barChart({ title: 'T', subtitle: 'S', groups: [{ title: 'G', bars }] })

const widths = (svg: string): number[] =>
  [...svg.matchAll(/<rect class="(?:ours|theirs|others)[^"]*" [^>]*width="([\d.]+)"/g)].map(([, width]) =>
    Number(width),
  )
const ranges = (svg: string): number[][] =>
  [...svg.matchAll(/<path class="range" d="M([\d.]+) [\d.]+H([\d.]+)"/g)].map(([, from, to]) => [
    Number(from),
    Number(to),
  ])

/** The names of elements that were opened and not closed, or closed and not opened. */
function unbalanced(svg: string): string[] {
  const open: string[] = []
  const wrong: string[] = []
  for (const [, slash, name, attributes] of svg.matchAll(/<(\/?)([a-z]+)([^>]*)>/g)) {
    if (slash === '/') {
      if (open.pop() !== name) wrong.push(name!)
    } else if (!attributes!.endsWith('/')) open.push(name!)
  }
  return [...open, ...wrong]
}

describe('a bench chart', () => {
  it('draws bars to one scale across its groups', () => {
    const svg = barChart({
      title: 'T',
      subtitle: 'S',
      groups: [
        { title: 'a', bars: [bar(10)] },
        { title: 'b', bars: [bar(40), bar(20)] },
      ],
    })
    const [ten, forty, twenty] = widths(svg) as [number, number, number]
    expect(forty / ten).to.be.closeTo(4, 0.01)
    expect(forty / twenty).to.be.closeTo(2, 0.01)
  })

  it('draws the range from the least to the most around the end of the bar', () => {
    const svg = chartOf(bar(50, { min: 25, max: 100 }))
    const [[from, to]] = ranges(svg) as [[number, number]]
    const [width] = widths(svg) as [number]
    expect((to - from) / width).to.be.closeTo(1.5, 0.01)
  })

  it('stays inside its own page', () => {
    const svg = chartOf(bar(1, { max: 1e6 }), bar(1e6))
    const page = Number(/<svg [^>]*width="(\d+)"/.exec(svg)?.[1])
    const ends = [...svg.matchAll(/<(?:text|rect)[^>]* x="([\d.]+)"/g)].map(([, x]) => Number(x))
    expect(page).to.be.above(0)
    expect(Math.max(...ends)).to.be.below(page)
    expect(Math.max(...ranges(svg).flat())).to.be.below(page)
  })

  it('shows a bar even where the value is next to nothing', () => {
    expect(widths(chartOf(bar(0), bar(0.001), bar(1e9))).every((width) => width > 1)).to.equal(true)
    expect(chartOf(bar(0))).not.to.include('NaN')
  })

  it('is well-formed whatever the labels say', () => {
    const svg = chartOf(bar(1, { label: '<b> & "c"', text: '1 < 2' }))
    expect(unbalanced(svg)).to.deep.equal([])
    expect(svg).to.include('&lt;b&gt; &amp; &quot;c&quot;').and.to.include('1 &lt; 2')
  })

  it('colours text and page for light and for dark', () => {
    const svg = chartOf(bar(1))
    const [light, dark] = svg.split('prefers-color-scheme: dark')
    for (const part of [light, dark]) {
      expect(part).to.match(/\.page \{ fill: #[0-9a-f]{6}/)
      expect(part).to.match(/text \{[^}]*fill: #[0-9a-f]{6}/)
    }
  })
})
