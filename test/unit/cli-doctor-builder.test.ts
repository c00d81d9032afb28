// What the doctor says of the domain builder in dom0.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { builderCheck, mayBuildDomains } from '../../src/cli/doctor-builder.js'
import { checkBuilder } from '../../src/jitsu/launchers/check-builder.js'
import { ScriptedBuilder } from '../support/scripted-builder.js'

describe('the doctor on the domain builder', () => {
  it('says for which Xen it was built where it works', async () => {
    const script = new ScriptedBuilder()
    const check = await builderCheck(() => checkBuilder(script.program, script.environment))
    expect(check).to.deep.equal({
      name: 'domain builder',
      state: 'ok',
      text: 'built for Xen 4.17: services of kind "xen"',
    })
    script.remove()
  })

  it('warns where it is not built or of another Xen, and says that xl serves', async () => {
    const script = new ScriptedBuilder()
    script.unusable('OTHER_VERSION', 'Xen 4.19 runs here and refuses libxenctrl 4.17')
    for (const [program, text] of [
      [script.program, /^not built for this Xen: Xen 4\.19 runs here/],
      [join(script.folder, 'missing'), /^not built for this Xen: there is no /],
    ] as const) {
      const check = await builderCheck(() => checkBuilder(program, script.environment))
      expect(check.state).to.equal('warn')
      expect(check.text)
        .to.match(text)
        .and.match(/; services of kind "xl" work without it$/)
      expect(check.fix).to.include('npx conduit-build')
    }
    script.remove()
  })

  it('is asked in a domain that may build others, and nowhere else', () => {
    const root = mkdtempSync(join(tmpdir(), 'conduit-test-'))
    expect(mayBuildDomains(root)).to.equal(false)
    mkdirSync(join(root, 'proc/xen'), { recursive: true })
    writeFileSync(join(root, 'proc/xen/capabilities'), '\n')
    expect(mayBuildDomains(root)).to.equal(false)
    writeFileSync(join(root, 'proc/xen/capabilities'), 'control_d\n')
    expect(mayBuildDomains(root)).to.equal(true)
    rmSync(root, { recursive: true })
  })
})
