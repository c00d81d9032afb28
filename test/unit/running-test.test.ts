// That nothing looks on after its test: one that has timed out would keep mocha from ending.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
const support = (name: string) => JSON.stringify(new URL(`../support/${name}.js`, import.meta.url).href)

describe('a test that waits in vain', () => {
  let directory: string
  let mocha: ChildProcess | undefined
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-test-'))
  })
  afterEach(() => {
    mocha?.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  })

  it('fails by its time limit, and mocha goes on and ends', async () => {
    const file = join(directory, 'vain.test.mjs')
    writeFileSync(
      file,
      `import { eventually } from ${support('eventually')}
       import { until } from ${support('local-world')}
       it('one', () => eventually(() => false))
       it('two', () => until(() => false))
       it('three', () => eventually(() => true))
       describe('a hook', () => {
         after(() => eventually(() => false))
         it('four', () => until(() => true))
       })`,
    )
    const args = [MOCHA, '--no-config', '--timeout', '50', '--reporter', 'dot', file]
    mocha = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    mocha.stdout!.on('data', (bytes: Buffer) => {
      output += String(bytes)
    })
    expect(await once(mocha, 'close')).to.deep.equal([3, null])
    expect(output).to.contain('2 passing').and.contain('3 failing')
  })
})
