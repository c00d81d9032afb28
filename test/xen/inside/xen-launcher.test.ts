// The launcher that builds domains directly: what it leaves in the machine, and that it leaves nothing when they have ended, however.
import { expect } from 'chai'
import type { Launched } from '../../../src/jitsu/launcher.js'
import { expectCode } from '../../support/expect-rejection.js'
import { type MachineState, XenBuilderWorld } from '../../support/xen-builder-world.js'
import { here } from '../../support/xen-machine.js'

describe('the launcher xen', () => {
  let world: XenBuilderWorld
  let before_: MachineState
  let running: Launched[] = []

  before(async () => {
    world = await XenBuilderWorld.start()
  })
  after(() => world.close())
  beforeEach(async () => {
    before_ = await world.state()
  })
  afterEach(async () => {
    await Promise.all(running.map((each) => each.stop('destroy')))
    running = []
    await world.returnsTo(before_)
  })

  const keep = async (launch: Promise<Launched>): Promise<Launched> => {
    const launched = await launch
    running.push(launched)
    return launched
  }

  for (const type of ['pv', 'pvh'] as const) {
    it(`runs a ${type} guest that xl sees by its name and can destroy`, async () => {
      const steps: string[] = []
      const context = world.context('www', {
        created: async ({ domid }) => void steps.push(`created ${domid}`),
        step: (step) => void steps.push(step),
      })
      const launched = await keep(world.launcher({ type }).launch(context))
      const { domid } = launched
      expect(steps).to.have.members([`created ${domid}`, 'built', 'unpaused'])
      expect(steps.at(-1)).to.equal('unpaused')
      expect((await here.run('xl domid www')).output.trim()).to.equal(String(domid))
      // It rests: it has run, and waits for an event.
      expect((await here.run('xl list www')).output).to.match(/www +[0-9]+ +4 +1 +-b----/)
      const { status, errors } = await here.run('xl destroy www')
      expect([status, errors]).to.deep.equal([0, ''])
      expect(await launched.ended).to.equal(`domain ${domid} is gone`)
    })

    it(`lets a ${type} guest read what is its own and write where it may`, async () => {
      const { domid } = await keep(world.launcher({ type, cmdline: 'x={domid}' }).launch(world.context('www')))
      const nodes = (await here.run(`xenstore-ls -fp /local/domain/${domid}`)).output
      expect(nodes).to.match(new RegExp(`/domid = "${domid}" +\\(n0,r${domid}\\)`))
      expect(nodes).to.match(new RegExp(`/name = "www" +\\(n0,r${domid}\\)`))
      expect(nodes).to.match(new RegExp(`/data = "" +\\(n${domid}\\)`))
      expect(nodes).to.match(new RegExp(`/control = "" +\\(n${domid}\\)`))
      expect(nodes).to.match(new RegExp(`/local/domain/${domid}/console/port = "2"`))
    })

    for (const [ends, how] of [
      ['poweroff', 'has shut down'],
      ['reboot', 'has shut down to reboot'],
      ['crash', 'has crashed'],
    ] as const) {
      it(`takes a ${type} guest away that ends itself by ${ends}, and says how it ended`, async () => {
        const launched = await world.launcher({ type, kernel: world.ending(ends) }).launch(world.context('www'))
        expect(await launched.ended).to.equal(`domain ${launched.domid} ${how}`)
      })
    }
  }

  it('is told to shut down by the node that guests watch', async () => {
    const launched = await keep(world.launcher().launch(world.context('www')))
    const stopped = launched.stop('shutdown')
    const control = `/local/domain/${launched.domid}/control/shutdown`
    for await (const _ of world.store.watches(control)) if (await world.store.exists(control)) break
    expect(await world.store.readText(control)).to.equal('poweroff')
    await here.run('xl destroy www')
    await stopped
  })

  it('destroys what it built when the boot is given up in the middle', async () => {
    const giveUp = new AbortController()
    const reason = new Error('given up')
    const launching = world.launcher().launch(
      world.context('www', {
        signal: giveUp.signal,
        created: async () => giveUp.abort(reason),
      }),
    )
    expect(await launching.catch((error: unknown) => error)).to.equal(reason)
  })

  it('destroys what it built when its name cannot be kept', async () => {
    const created = () => Promise.reject(new Error('no name'))
    const error = await world
      .launcher()
      .launch(world.context('www', { created }))
      .catch((cause: unknown) => cause)
    expect((error as Error).message).to.equal('no name')
  })

  it('finds a domain again in another process, by number and UUID', async () => {
    const launched = await keep(world.launcher().launch(world.context('www')))
    const token = JSON.parse(JSON.stringify(launched.token)) as { domid: number; uuid: string }
    const next = world.launcher()
    const adopted = await next.adopt(token, world.context('www'))
    expect(adopted?.domid).to.equal(launched.domid)
    const other = { ...token, uuid: token.uuid.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }
    for (const stranger of [other, { ...token, domid: 0 }, undefined, 'x', {}]) {
      expect(await next.adopt(stranger, world.context('www')), JSON.stringify(stranger)).to.equal(undefined)
    }
    await adopted!.stop('destroy')
    expect(await launched.ended).to.match(/is gone/)
    expect(await next.adopt(token, world.context('www'))).to.equal(undefined)
  })

  it('refuses a name that a domain has, whoever built it', async () => {
    const cfg = `name="taken"\\ntype="pv"\\nkernel="${world.kernel}"\\nmemory=4\\n`
    expect(
      (await here.run(`printf '${cfg}' > ${world.folder}/taken.cfg; xl create -q ${world.folder}/taken.cfg`)).status,
    ).to.equal(0)
    const launcher = world.launcher()
    const error = await expectCode(launcher.launch(world.context('taken')), 'LAUNCHER')
    expect([error.message, error.errno, error.syscall]).to.satisfy(
      ([message, errno, step]: string[]) =>
        /domain [0-9]+ has the name taken already/.test(message!) && errno === 'EEXIST' && step === 'name',
      error.message,
    )
    const prepared = await launcher.prepare(world.context('www'))
    await expectCode(prepared.launch(world.context('taken')), 'LAUNCHER')
    await prepared.ended
    await here.run('xl destroy taken')
    const { domid } = await keep(launcher.launch(world.context('taken')))
    expect((await expectCode(world.launcher().launch(world.context('taken')), 'LAUNCHER')).message).to.include(
      `domain ${domid} has`,
    )
    expect((await expectCode(world.launcher().launch(world.context('Domain-0')), 'LAUNCHER')).message).to.include(
      'domain 0 has',
    )
  })

  it('builds ten domains that are asked for at once', async () => {
    const launcher = world.launcher()
    const names = Array.from({ length: 10 }, (_, index) => `ten-${index}`)
    const launched = await Promise.all(names.map((name) => keep(launcher.launch(world.context(name)))))
    expect(new Set(launched.map(({ domid }) => domid)).size).to.equal(10)
    expect(await world.names()).to.include.members(names)
    await Promise.all(launched.map((each) => each.stop('destroy')))
  })

  it('prepares domains that have not run, and launches each once under its name', async () => {
    const launcher = world.launcher({ type: 'pvh' })
    const prepared = await launcher.prepare(world.context('www'))
    expect(prepared.memoryBytes).to.equal(4 << 20)
    expect((await here.run('xl list')).output).to.match(/www\.warm-[0-9a-f]{8} +[0-9]+ +4 +1 +--p---/)
    const steps: string[] = []
    const launched = await keep(prepared.launch(world.context('www', { step: (step) => void steps.push(step) })))
    expect([launched.domid, steps]).to.deep.equal([prepared.domid, ['unpaused']])
    expect((await here.run('xl list www')).output).to.match(/www +[0-9]+ +4 +1 +-b----/)
    await prepared.discard()
    expect((await here.run('xl domid www')).status).to.equal(0)
  })

  it('notices that a prepared domain has ended, and discards one without a trace', async () => {
    const launcher = world.launcher()
    const [one, two] = await Promise.all([
      launcher.prepare(world.context('www')),
      launcher.prepare(world.context('www')),
    ])
    await here.run(`xl destroy ${one!.domid}`)
    expect(await one!.ended).to.equal(`domain ${one!.domid} is gone`)
    await expectCode(one!.launch(world.context('www')), 'LAUNCHER')
    await two!.discard()
    await two!.discard()
    expect(await two!.ended).to.match(/is gone/)
  })

  it("writes a provisioned channel's keys before the guest runs", async () => {
    const launcher = world.launcher({ cmdline: 'name=www', provisioned: { port: 'http' } })
    const prepared = await launcher.prepare(world.context('www'))
    const { domid } = prepared
    const nodes = (await here.run(`xenstore-ls -fp /local/domain/${domid}/data`)).output
    const port = `/local/domain/${domid}/data/vchan/0/http`
    for (const line of [`${port}/event-channel = "3"`, `${port}/ring-ref = "8"`, `${port}/provisioned = "1"`]) {
      expect(nodes).to.match(new RegExp(`${line} +\\(n${domid}\\)`))
    }
    // Port 3 of the guest is there, unbound, for dom0.
    expect((await here.run(`lsevtchn ${domid}`)).output).to.match(
      /3: VCPU [0-9]+: Interdomain \(Waiting connection\) - Remote Domain 0/,
    )
    await prepared.discard()
  })
})
