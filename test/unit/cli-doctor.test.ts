// The doctor's findings that do not depend on this machine.
import { expect } from 'chai'
import { diagnosisLines } from '../../src/cli/doctor.js'
import { attempt } from '../../src/cli/doctor-check.js'
import { filesCheck, nodeCheck, processorCheck } from '../../src/cli/doctor-machine.js'
import { ConduitError } from '../../src/errors.js'

describe('the doctor', () => {
  it('wants Node 20.19 or newer', () => {
    const states = ['18.20.0', '20.18.3', '20.19.0', '22.0.0'].map((version) => nodeCheck(version).state)
    expect(states).to.deep.equal(['fail', 'fail', 'ok', 'ok'])
  })

  it('warns of one processor, and of few open files', () => {
    expect([processorCheck(1).state, processorCheck(2).state]).to.deep.equal(['warn', 'ok'])
    const limits = (soft: string): string =>
      `Limit  Soft  Hard  Units\nMax open files            ${soft}   1048576   files\n`
    expect(['1024', '8192', 'unlimited'].map((soft) => filesCheck(limits(soft)).state)).to.deep.equal([
      'warn',
      'ok',
      'ok',
    ])
    expect(filesCheck('nothing of the kind').state).to.equal('warn')
  })

  it('makes a finding of whatever a check throws, with its hint as the remedy', async () => {
    const check = await attempt('x', () => {
      throw new ConduitError('RUNTIME_DIR', 'not yours', { hint: 'choose another' })
    })
    expect(check).to.deep.equal({ name: 'x', state: 'fail', text: 'RUNTIME_DIR: not yours', fix: 'choose another' })
  })

  it('shows a remedy below its finding, and the verdict last', () => {
    const lines = diagnosisLines({
      backend: 'local',
      works: false,
      checks: [
        { name: 'one', state: 'ok', text: 'fine' },
        { name: 'other', state: 'fail', text: 'broken', fix: 'mend it' },
      ],
    })
    expect(lines).to.deep.equal([
      'ok    one    fine',
      'fail  other  broken',
      '      -> mend it',
      'the local backend does not work here',
    ])
  })
})
