// The systemd unit of conduit-registrar: what it starts is there, and systemd understands every line.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { EXIT } from '../../src/cli/exit-status.js'
import { PROJECT_ROOT } from '../../testbed/project.js'
import { UnitFile } from '../support/unit-file.js'

const unit = new UnitFile('conduit-registrar.service')
const manifest = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  bin: Record<string, string>
  files: string[]
}

describe('the unit of conduit-registrar', () => {
  it('starts a program of the package, which is there', () => {
    const [program] = unit.settings('ExecStart')[0]!.split(' ')
    expect(existsSync(join(PROJECT_ROOT, manifest.bin[program!]!))).to.equal(true)
  })

  it('is part of the package', () => {
    expect(manifest.files).to.include('src')
  })

  it('is not started again when its options are wrong', () => {
    expect(unit.settings('RestartPreventExitStatus')).to.deep.equal([String(EXIT.USAGE)])
  })

  it('waits for the word that systemd-notify brings', () => {
    expect([unit.settings('Type'), unit.settings('NotifyAccess')]).to.deep.equal([['notify'], ['all']])
  })

  it('leaves the registrar no capability, network or device', () => {
    const taken = {
      CapabilityBoundingSet: [''],
      NoNewPrivileges: ['yes'],
      RestrictAddressFamilies: ['AF_UNIX'],
      PrivateNetwork: ['yes'],
      IPAddressDeny: ['any'],
      PrivateDevices: ['yes'],
      DevicePolicy: ['closed'],
    }
    const given = Object.keys(taken).map((key) => [key, unit.settings(key)])
    expect(Object.fromEntries(given)).to.deep.equal(taken)
    // They would give some of it back, in whatever order they stand.
    for (const key of ['AmbientCapabilities', 'DeviceAllow', 'IPAddressAllow']) {
      expect(unit.settings(key), key).to.deep.equal([])
    }
  })

  // Where systemd is, it is the judge; elsewhere nobody runs the unit.
  if (UnitFile.canBeVerified) {
    it('is understood by systemd, line by line', () => {
      expect(unit.verify()).to.deep.equal({ complaints: [], status: 0 })
    })
  }
})
