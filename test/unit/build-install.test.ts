// When a build installs the dependencies, and when it leaves node_modules alone.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { PROJECT_ROOT } from '../../testbed/project.js'

const module = pathToFileURL(join(PROJECT_ROOT, 'needs-install.mjs')).href
const { needsInstall } = (await import(module)) as { needsInstall(root: string): boolean }

describe('a build', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'conduit-build-'))
    mkdirSync(join(root, 'node_modules'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const lock = (file: string, packages: object) => writeFileSync(join(root, file), JSON.stringify({ packages }))
  const a = { version: '1.0.0', integrity: 'sha512-a' }
  const other = { version: '2.0.0', integrity: 'sha512-o', optional: true }

  it('installs nothing when all is there, whatever the times say', () => {
    lock('node_modules/.package-lock.json', { 'node_modules/a': a })
    lock('package-lock.json', { '': {}, 'node_modules/a': a, 'node_modules/other': other })
    utimesSync(join(root, 'node_modules/.package-lock.json'), 1, 1)
    expect(needsInstall(root)).to.equal(false)
  })

  it('installs what is missing, of another version or no longer named', () => {
    lock('package-lock.json', { '': {}, 'node_modules/a': a })
    expect(needsInstall(root), 'nothing is installed').to.equal(true)
    for (const installed of [
      {},
      { 'node_modules/a': { ...a, version: '0.9.0' } },
      { 'node_modules/a': a, 'node_modules/b': a },
    ]) {
      lock('node_modules/.package-lock.json', installed)
      expect(needsInstall(root), JSON.stringify(installed)).to.equal(true)
    }
  })

  it('leaves a node_modules alone that is a link to somebody else’s', () => {
    lock('package-lock.json', { '': {}, 'node_modules/a': a })
    rmSync(join(root, 'node_modules'), { recursive: true })
    mkdirSync(join(root, 'elsewhere'))
    symlinkSync('elsewhere', join(root, 'node_modules'))
    expect(needsInstall(root)).to.equal(false)
  })
})
