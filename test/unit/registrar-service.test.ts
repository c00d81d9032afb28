// The systemd unit of conduit-registrar: what it starts is there, and systemd understands every line.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { EXIT } from '../../src/cli/exit-status.js'
import { PROJECT_ROOT } from '../../testbed/project.js'

const unit = readFileSync(join(PROJECT_ROOT, 'src/cli/conduit-registrar.service'), 'utf8')
const manifest = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  bin: Record<string, string>
  files: string[]
}
const settings = (key: string): string[] =>
  unit.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []))

describe('the unit of conduit-registrar', () => {
  it('starts a program of the package, which is there', () => {
    const [program] = settings('ExecStart')[0]!.split(' ')
    expect(existsSync(join(PROJECT_ROOT, manifest.bin[program!]!))).to.equal(true)
  })

  it('is part of the package', () => {
    expect(manifest.files).to.include('src')
  })

  it('is not started again when its options are wrong', () => {
    expect(settings('RestartPreventExitStatus')).to.deep.equal([String(EXIT.USAGE)])
  })

  it('waits for the word that systemd-notify brings', () => {
    expect([settings('Type'), settings('NotifyAccess')]).to.deep.equal([['notify'], ['all']])
  })

  const analyze = spawnSync('systemd-analyze', ['--version'])
  // Where systemd is, it is the judge; elsewhere nobody runs the unit.
  if (analyze.status === 0) {
    it('is understood by systemd, line by line', () => {
      const directory = mkdtempSync(join(tmpdir(), 'conduit-unit-'))
      const file = join(directory, 'conduit-registrar.service')
      writeFileSync(file, unit.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`))
      const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
      rmSync(directory, { recursive: true })
      const complaints = verified.stderr.split('\n').filter((line) => line.includes('conduit-registrar'))
      expect([complaints, verified.status]).to.deep.equal([[], 0])
    })
  }
})
