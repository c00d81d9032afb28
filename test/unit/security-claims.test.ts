// docs/security.md names a test for each of its claims: the tests are there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { PROJECT_ROOT } from '../../testbed/project.js'

interface Claim {
  readonly file: string
  readonly title: string
}

const read = (path: string): string => readFileSync(join(PROJECT_ROOT, path), 'utf8')

/** Each "`file`: *title*"; an ellipsis stands for what a title fills in. */
function claimsOf(document: string): Claim[] {
  const text = document.replace(/\s+/g, ' ')
  return [...text.matchAll(/`(test\/[^`]+\.ts)`: \*([^*]+)\*/g)].map(([, file, title]) => ({
    file: file!,
    title: title!,
  }))
}

/** Whether a test of that title is in the source. */
function isTested({ file, title }: Claim): boolean {
  const [first, ...rest] = title.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const pattern = [first, ...rest].join('[^\\n]{1,60}')
  return new RegExp(`\\bit(Where)?\\([^'"\`]*['"\`]${pattern}['"\`]`).test(read(file))
}

describe('docs/security.md', () => {
  const claims = claimsOf(read('docs/security.md'))

  it('names tests for its claims, in every part that claims something', () => {
    const parts = read('docs/security.md').split('\n## ').slice(1)
    const claiming = parts.filter((part) => !part.startsWith('Not protected'))
    expect(claiming).to.have.length(7)
    for (const part of claiming) expect(claimsOf(part), part.split('\n')[0]).to.have.length.above(2)
  })

  for (const claim of claims) {
    it(`is right that "${claim.title}" is tested`, () => {
      expect(isTested(claim), claim.file).to.equal(true)
    })
  }

  it('would be wrong about a test that is not there', () => {
    expect(isTested({ file: claims[0]!.file, title: 'no such test' })).to.equal(false)
  })
})
