// The domain builder when something goes wrong: memory runs out at each of its steps, it is killed in the middle of one, its user is
// killed, a file is no kernel. Nothing is left, and nobody else's domain is touched.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { DomainIdentity } from '../../../src/jitsu/launchers/builder-messages.js'
import { eventually } from '../../support/eventually.js'
import { expectCode } from '../../support/expect-rejection.js'
import { type MachineState, XenBuilderWorld } from '../../support/xen-builder-world.js'
import { here } from '../../support/xen-machine.js'

/** Of 1,000 in a longer run: CONDUIT_XEN_CYCLES. */
const CYCLES = Number(process.env.CONDUIT_XEN_CYCLES ?? 60)

describe('the domain builder', () => {
  let world: XenBuilderWorld
  let before_: MachineState
  let steps: string[]

  before(async () => {
    world = await XenBuilderWorld.start()
    const builder = world.process()
    await builder.ready
    const request = { build: { ...world.request('traced'), trace: true } }
    const built = (await builder.ask({ what: 'traced', request })) as DomainIdentity & { steps: object }
    steps = Object.keys(built.steps)
    await builder.close()
  })
  after(() => world.close())
  beforeEach(async () => {
    before_ = await world.state()
  })
  afterEach(async () => {
    await world.returnsTo(before_)
  })

  for (const type of ['pv', 'pvh'] as const) {
    it(`leaves nothing of a ${type} domain when memory runs out at any step, and names the step`, async () => {
      expect(steps).to.have.length.above(20)
      for (const step of steps) {
        const builder = world.builder(`fail:${step}`)
        const error = await expectCode(builder.build(world.request('failing', { type })), 'LAUNCHER')
        expect([error.syscall, error.errno], step).to.deep.equal([step, 'ENOMEM'])
        // While its builder lives: it has undone what it did.
        await world.returnsTo(before_, step)
        await builder.close()
      }
    })

    it(`says that a ${type} domain needs more memory than there is, and gives back what it had taken`, async () => {
      const builder = world.builder()
      const request = world.request('large', { type, memoryKiB: 16 << 20 })
      const error = await expectCode(builder.build(request), 'LAUNCHER')
      expect([error.syscall, error.errno, error.message].join(), error.message).to.match(/^memory,/)
      // The builder goes on.
      const small = await builder.build(world.request('small', { type }))
      await builder.destroy(small)
    })
  }

  it('takes away what a builder left that was killed in any of its steps', async () => {
    for (const step of steps) {
      const killed = world.process(`stop:${step}`)
      await killed.ready
      const building = killed.ask({ what: 'halted', request: { build: world.request('halted') } })
      await eventually(() => /^\S+ \(.*\) T/.test(readFileSync(`/proc/${killed.pid}/stat`, 'utf8')))
      process.kill(killed.pid!, 'SIGKILL')
      await expectCode(building, 'LAUNCHER')
      const next = world.builder()
      await next.ready()
      await world.returnsTo(before_, step)
      await next.close()
    }
  })

  it("takes away nobody else's: of another builder, of xl, and what runs", async () => {
    const cfg = `name="of-xl"\\ntype="pv"\\nkernel="${world.kernel}"\\nmemory=4\\n`
    await here.run(`printf '${cfg}' > ${world.folder}/of-xl.cfg; xl create -p -q ${world.folder}/of-xl.cfg`)
    const living = world.builder()
    await living.build(world.request('prepared'))
    const killed = world.process()
    await killed.ready
    const ask = async (kind: string, given: object) =>
      (await killed.ask({ what: kind, request: { [kind]: given } })) as DomainIdentity
    await ask('build', world.request('halted'))
    const running = await ask('build', world.request('running'))
    await ask('unpause', { domid: running.domid, uuid: running.uuid })
    await here.run('xl pause running')
    process.kill(killed.pid!, 'SIGKILL')
    await killed.ended
    const next = world.builder()
    await next.ready()
    expect(world.lines.join('\n')).to.include('destroyed 1 domains')
    expect(await world.names()).to.deep.equal(['Domain-0', 'of-xl', 'prepared', 'running'])
    await next.destroy(running)
    await living.close()
    await here.run('xl destroy of-xl')
  })

  it('is begun anew by the next request when it has been killed', async () => {
    const builder = world.builder()
    const first = await builder.build(world.request('first'))
    const { pid } = builder
    process.kill(pid!, 'SIGKILL')
    await eventually(() => builder.pid === undefined)
    expect(await builder.find(first)).to.equal(undefined)
    expect(builder.pid).to.not.equal(pid)
    const second = await builder.build(world.request('first'))
    await builder.destroy(second)
  })

  it('ends with its user, however that ends: what had not run goes, what runs stays', async () => {
    const user = here.spawn(`exec node ${join(import.meta.dirname, 'children/preparer.js')} ${world.kernel}`)
    const [, token] = await user.printed(/launched (\{.*\})/)
    expect(await world.names()).to.satisfy((names: string[]) => names.some((name) => name.startsWith('orphan.warm-')))
    user.kill('SIGKILL')
    await user.wait()
    await eventually(async () => (await world.names()).join() === 'Domain-0,orphan')
    const adopted = await world.launcher().adopt(JSON.parse(token!), world.context('orphan'))
    await adopted!.stop('destroy')
    // The builder itself goes last.
    await eventually(async () => (await here.run('pgrep -f conduit-domain-builder')).status !== 0)
  })

  it('names the file that is no kernel', async () => {
    const builder = world.builder()
    const text = join(world.folder, 'text')
    const cut = join(world.folder, 'cut.elf')
    const large = join(world.folder, 'large')
    writeFileSync(text, 'no kernel\n'.repeat(1000))
    writeFileSync(cut, readFileSync(world.kernel).subarray(0, 100))
    await here.run(`truncate -s 129M ${large}; : > ${world.folder}/empty; mkfifo ${world.folder}/pipe`)
    for (const [kernel, how] of [
      [text, /is no kernel for pv: .*(loader|ELF)/],
      [cut, /is no kernel/],
      [large, /is no kernel: it has more than 128 MiB/],
      [join(world.folder, 'empty'), /is no kernel: it is empty/],
      [join(world.folder, 'pipe'), /cannot be read/],
      [world.folder, /is no kernel: it is a folder/],
      [join(world.folder, 'missing'), /cannot be read: No such file/],
      ['/proc/self/mem', /is no kernel|cannot be read/],
    ] as const) {
      const error = await expectCode(builder.build(world.request('wrong', { kernel })), 'LAUNCHER')
      expect(error.message).to.match(how).and.include(kernel)
      expect(error.hint).to.match(/launcher\.kernel/)
    }
    const right = await builder.build(world.request('right'))
    await builder.destroy(right)
  })

  it('builds from a kernel as it is now, not as it was', async () => {
    const builder = world.builder()
    const kernel = join(world.folder, 'changing.elf')
    writeFileSync(kernel, readFileSync(world.kernel))
    await builder.destroy(await builder.build(world.request('one', { kernel })))
    writeFileSync(kernel, 'no kernel any more')
    await expectCode(builder.build(world.request('two', { kernel })), 'LAUNCHER')
  })

  it('refuses what is no request, and goes on', async () => {
    const builder = world.process()
    await builder.ready
    const good = world.request('good')
    for (const build of [
      {},
      { ...good, surplus: 1 },
      { ...good, name: '' },
      { ...good, name: 'two words' },
      { ...good, type: 'hvm' },
      { ...good, memoryKiB: -1 },
      { ...good, memoryKiB: 4096.5 },
      { ...good, vcpus: 0 },
      { ...good, vcpus: 129 },
      { ...good, cmdline: 'x'.repeat(1024) },
      { ...good, provisioned: { peer: 1, path: 'data/x', gref: 8 } },
      { ...good, provisioned: { peer: 0, path: '../../0/name', gref: 8 } },
      { ...good, provisioned: { peer: 0, path: 'control/shutdown', gref: 8 } },
      { ...good, paused: false },
    ]) {
      const error = await expectCode(builder.ask({ what: 'x', request: { build } }), 'LAUNCHER')
      expect(error.errno, JSON.stringify(build)).to.be.oneOf(['EINVAL', 'E2BIG'])
    }
    for (const request of [
      {},
      { destroy: { domid: 0, uuid: '0'.repeat(36) } },
      { unpause: { domid: 70000, uuid: '' } },
      { fly: {} },
    ]) {
      expect((await expectCode(builder.ask({ what: 'x', request }), 'LAUNCHER')).errno).to.equal('EINVAL')
    }
    await builder.close()
  })

  it(`leaves nothing after ${CYCLES} domains, built and destroyed`, async function () {
    this.timeout(CYCLES * 2000)
    const builder = world.builder()
    await builder.ready()
    const files = (): number =>
      Number(readFileSync(`/proc/${builder.pid}/status`, 'utf8').match(/FDSize:\s+([0-9]+)/)![1])
    const once = async (index: number): Promise<void> => {
      const built = await builder.build(world.request('cycle', { type: index % 2 === 0 ? 'pv' : 'pvh' }))
      await builder.unpause(built)
      await builder.destroy(built)
    }
    for (let index = 0; index < 10; index++) await once(index)
    const [mappings, opened] = [readFileSync(`/proc/${builder.pid}/maps`, 'utf8').split('\n').length, files()]
    for (let index = 10; index < CYCLES; index++) await once(index)
    expect([readFileSync(`/proc/${builder.pid}/maps`, 'utf8').split('\n').length, files()]).to.deep.equal([
      mappings,
      opened,
    ])
    await builder.close()
  })
})
