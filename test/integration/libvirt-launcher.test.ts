// The libvirt launcher over Debian's virsh and libvirt's own test driver, which has one domain, `test`, that runs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import type { LaunchContext, Launched, Launcher } from '../../src/jitsu/launcher.js'
import { Launchers } from '../../src/jitsu/launchers/launchers.js'
import { LOOK_MS } from '../../src/jitsu/launchers/libvirt-launcher.js'
import { COMMAND_MS, VirshSession } from '../../src/jitsu/launchers/virsh-session.js'
import { debianTree } from '../../testbed/debian-packages.js'
import { servicesOf } from '../support/directory-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'

describe('libvirt launcher', () => {
  let directory: string
  let launcher: Launcher
  let clock: ManualClock
  let environment: NodeJS.ProcessEnv
  const steps: string[] = []

  before(function () {
    const tree = debianTree('libvirt', ['libvirt-clients', 'libvirt0', 'libyajl2', 'libssh-4'])
    if (typeof tree === 'string') return this.skip()
    environment = { PATH: `${tree.root}/usr/bin:${process.env.PATH}`, LD_LIBRARY_PATH: tree.libraries, HOME: tree.root }
  })
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-libvirt-'))
    clock = new ManualClock()
    steps.length = 0
    launcher = await launcherOf({ domain: 'test' })
  })
  afterEach(async () => {
    await launcher.close()
    rmSync(directory, { recursive: true })
  })

  const launcherOf = async (more: object): Promise<Launcher> => {
    const [config] = servicesOf({ name: 'www', launcher: { kind: 'libvirt', uri: 'test:///default', ...more } })
    const launchers = await Launchers.open({ directory, environment, clock })
    return launchers.launcherOf(config as ServiceConfig)
  }
  const context = (more: Partial<LaunchContext> = {}): LaunchContext => ({
    service: 'www',
    signal: new AbortController().signal,
    created: async () => void steps.push('created'),
    step: (step) => void steps.push(step),
    log: () => undefined,
    ...more,
  })
  const launch = (): Promise<Launched> => launcher.launch(context())
  /** Look at the domain until it is seen to have ended. */
  const ended = async (launched: Launched): Promise<string> => {
    let how: string | undefined
    void launched.ended.then((text) => {
      how = text
    })
    return eventually(async () => {
      // While virsh is asked, only its own limit waits: that one is not for a slow machine.
      if (clock.nextInMs <= LOOK_MS) clock.advance(clock.nextInMs)
      await turns()
      return how
    })
  }

  it('takes a domain that runs, starts one that does not, and tells one run from the next', async () => {
    const first = await launch()
    expect([first.domid, first.pid, steps]).to.deep.equal([undefined, undefined, ['built', 'created', 'unpaused']])
    await first.stop('destroy')
    expect(await ended(first)).to.equal("libvirt's domain test no longer runs")
    const second = await launch()
    expect(second.token).to.not.deep.equal(first.token)
    // The first is gone: what it is told does nothing to the second.
    await first.stop('destroy')
    expect(await launcher.adopt(JSON.parse(JSON.stringify(first.token)), context())).to.equal(undefined)
    expect(await launcher.adopt(JSON.parse(JSON.stringify(second.token)), context())).to.have.deep.property(
      'token',
      second.token,
    )
    for (const wrong of [null, {}, 'test']) expect(await launcher.adopt(wrong, context())).to.equal(undefined)
  })

  it('suspends it in memory, resumes the same run, and shuts it down', async () => {
    const first = await launch()
    await first.stop('suspend')
    expect(await launcher.adopt(first.token, context())).to.equal(undefined)
    const second = await launch()
    expect(second.token).to.deep.equal(first.token)
    const stopped = second.stop('shutdown')
    expect(await ended(second)).to.match(/no longer runs/)
    await stopped
  })

  it('destroys what was given up before it ran', async () => {
    await (await launch()).stop('destroy')
    const given = new AbortController()
    const launching = launcher.launch(
      context({ signal: given.signal, created: async () => given.abort(new Error('given up')) }),
    )
    expect(await launching.catch((error: Error) => error.message)).to.equal('given up')
    const next = await launch()
    expect((next.token as { id: number }).id).to.be.greaterThan(2)
  })

  it('says what virsh says', async () => {
    await launcher.close()
    launcher = await launcherOf({ domain: 'nowhere' })
    expect((await expectCode(launch(), 'LAUNCHER')).message).to.match(
      /domstate nowhere: failed to get domain 'nowhere'/,
    )
    await launcher.close()
    launcher = await launcherOf({ uri: 'nonsense:///' })
    await expectCode(launch(), 'LAUNCHER')
  })

  it('begins a session anew when virsh has died, and gives one up that hangs', async () => {
    const broken = new VirshSession({ uri: 'x', environment, clock, program: 'false' })
    expect((await expectCode(broken.command('list'), 'LAUNCHER')).message).to.match(/virsh ended with status 1/)
    const missing = new VirshSession({ uri: 'x', environment, clock, program: '/nowhere/virsh' })
    await expectCode(missing.command('list'), 'LAUNCHER')
    const hanging = new VirshSession({ uri: 'x', environment, clock, program: join(directory, 'hang') })
    writeFileSync(join(directory, 'hang'), '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 })
    const asked = hanging.command('list')
    await eventually(() => clock.waiting > 0)
    clock.advance(COMMAND_MS)
    expect((await expectCode(asked, 'LAUNCHER')).message).to.match(/no answer in 60 s/)
    hanging.close()
    await expectCode(hanging.command('list'), 'LAUNCHER')
  })
})
