// The systemd unit of jitsud: what it starts is there, what it relies on is what jitsud does, and systemd understands every
// line.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { EXIT } from '../../src/cli/exit-status.js'
import { PROJECT_ROOT } from '../../testbed/project.js'
import { UnitFile } from '../support/unit-file.js'

const unit = new UnitFile('jitsud.service')
const manifest = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  bin: Record<string, string>
}

describe('the unit of jitsud', () => {
  it('starts a program of the package, which is there', () => {
    const [program, option] = unit.settings('ExecStart')[0]!.split(' ')
    expect([existsSync(join(PROJECT_ROOT, manifest.bin[program!]!)), option]).to.deep.equal([true, '--config'])
  })

  it('is not started again when its options or its configuration are wrong', () => {
    expect(unit.settings('RestartPreventExitStatus')).to.deep.equal([String(EXIT.USAGE)])
  })

  it('waits for the word of jitsud itself, and watches it', () => {
    expect([unit.settings('Type'), unit.settings('NotifyAccess')]).to.deep.equal([['notify'], ['main']])
    expect(Number(unit.settings('WatchdogSec')[0])).to.be.above(0)
  })

  it('leaves what was launched alone, so that the next jitsud finds it', () => {
    expect([unit.settings('KillMode'), unit.settings('StateDirectory')]).to.deep.equal([['process'], ['jitsud']])
  })

  it('reloads by SIGHUP', () => {
    expect(unit.settings('ExecReload')).to.deep.equal(['kill -HUP $MAINPID'])
  })

  // Where systemd is, it is the judge; elsewhere nobody runs the unit.
  if (UnitFile.canBeVerified) {
    it('is understood by systemd, line by line', () => {
      expect(unit.verify()).to.deep.equal({ complaints: [], status: 0 })
    })
  }
})
