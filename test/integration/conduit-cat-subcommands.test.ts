// conduit-cat's subcommands, as real processes: ls, ping, inspect, doctor, demo, and its help.
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { CatProcesses, type CatProcessOptions } from '../support/cat-process.js'
import { commandLines, environmentOf, type LocalWorld, localWorld, until } from '../support/local-world.js'

describe("conduit-cat's subcommands", () => {
  let world: LocalWorld
  let cats: CatProcesses
  beforeEach(() => {
    world = localWorld()
    cats = new CatProcesses(world.directory)
  })
  afterEach(async () => {
    await cats.close()
    await world.close()
  })

  async function outputOf(args: readonly string[], options?: CatProcessOptions): Promise<string> {
    const started = cats.start(args, { stdin: 'ignore', ...options })
    expect(await started.ended, started.complaints).to.equal(0)
    return started.output
  }

  it('ls shows nothing and starts nothing where no hypervisor runs', async () => {
    expect(await outputOf(['ls'])).to.match(/^NAME +DOMID +FLOWS\n\nFLOW +NAME/)
    expect(JSON.parse(await outputOf(['ls', '--json']))).to.deep.equal({
      names: [],
      flows: [],
      services: [],
      unlisted: [],
    })
    expect(world.hypervisors()).to.deep.equal([])
  })

  it('ls believes no store in a folder that is not this user’s alone', async () => {
    chmodSync(world.directory, 0o777)
    const started = cats.start(['ls'], { stdin: 'ignore' })
    expect(await started.ended).to.equal(1)
    expect(started.complaints).to.match(/^conduit-cat: RUNTIME_DIR: [^\n]+0700[^\n]*\n$/)
    chmodSync(world.directory, 0o700)
  })

  it('ls shows names, domids and flows of other processes', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['-v', 'web'])
    await listener.says(/connection from/)
    await client.says(/connected to/)
    const { names, flows } = JSON.parse(await outputOf(['ls', '--json']))
    expect(names).to.have.length(1)
    expect(flows).to.have.length(1)
    expect(names[0].name).to.equal('web')
    expect(flows[0]).to.include({ name: 'web', server: names[0].domid, state: 'established' })
    expect(await outputOf(['ls'])).to.match(/^web +\d+ +1$/m)
    client.stdin.end()
    listener.stdin.end()
    await Promise.all([client.ended, listener.ended])
    expect(JSON.parse(await outputOf(['ls', '--json']))).to.deep.equal({
      names: [],
      flows: [],
      services: [],
      unlisted: [],
    })
  })

  it('ping measures handshakes', async () => {
    await cats.listen(['-kl', 'web', '-e', 'true'], { stdin: 'ignore' })
    const text = await outputOf(['ping', 'web', '-c', '3'])
    expect(text.trimEnd().split('\n')).to.have.length(4)
    expect(text).to.match(/^web: 3 handshakes: min \S+ \S+ {2}p50 .* p90 .* p99 .* max /m)
    const { count, millis } = JSON.parse(await outputOf(['ping', '--json', '-c', '2', 'web']))
    expect(count).to.equal(2)
    expect(millis.min).to.be.above(0)
    expect(millis.max).to.be.at.least(millis.p50)
  })

  it('ping --echo measures round trips over one connection', async () => {
    await cats.listen(['-l', 'web', '-e', 'cat'], { stdin: 'ignore' })
    const { count, payloadBytes, kind } = JSON.parse(
      await outputOf(['ping', '--echo', '-s', '1000', '-c', '5', '--json', 'web']),
    )
    expect({ count, payloadBytes, kind }).to.deep.equal({ count: 5, payloadBytes: 1000, kind: 'echo' })
  })

  it('ping --echo refuses a peer that is no echo', async () => {
    await cats.listen(['-l', 'web', '-e', 'yes'], { stdin: 'ignore' })
    const started = cats.start(['ping', '--echo', 'web'])
    expect(await started.ended).to.equal(1)
    expect(started.complaints).to.match(/^conduit-cat: EINVAL: [^\n]*no echo[^\n]*\n$/)
  })

  it('ping ends with 1 when nobody holds the name', async () => {
    const started = cats.start(['ping', 'nobody'])
    expect(await started.ended).to.equal(1)
    expect(started.complaints).to.match(/^conduit-cat: ENOENT: /)
  })

  it('inspect decodes the control page of a connection of its own', async () => {
    await cats.listen(['-kl', 'web', '-e', 'true'], { stdin: 'ignore' })
    const text = await outputOf(['inspect', 'web'])
    expect(text)
      .to.contain('control page of web')
      .and.to.match(/left +client->server +18 +256 KiB +0 +0 +0 +0%/)
    const { controlPage, role } = JSON.parse(await outputOf(['inspect', '--json', '--ring', '8k', 'web']))
    expect(role).to.equal('client')
    expect(controlPage.left).to.include({ order: 13, cons: 0 })
    expect(controlPage.left.grants).to.have.length(2)
    expect(controlPage.endMarks.version).to.equal(1)
  })

  it('doctor finds that the local backend works, by using it', async () => {
    const { backend, works, checks } = JSON.parse(await outputOf(['doctor', '--json']))
    expect({ backend, works }).to.deep.equal({ backend: 'local', works: true })
    const names = checks.map(({ name }: { name: string }) => name)
    expect(names).to.include.members(['node', 'addon', 'runtime directory', 'local hypervisor', 'xen', 'channel'])
    expect(await outputOf(['doctor'])).to.match(/ok +addon +loaded from .*\.node\n/)
  })

  it('doctor ends with 1 and a remedy where the backend does not work', async () => {
    const started = cats.start(['doctor'], { env: { CONDUIT_BACKEND: 'xen' } })
    expect(await started.ended).to.equal(1)
    expect(started.output).to.match(/^fail +/m)
    expect(started.output).to.match(/^ +-> /m)
    expect(started.output).to.contain('the xen backend does not work here')
  })

  it('doctor names what is wrong with the runtime directory, and looks for no hypervisor there', async () => {
    const started = cats.start(['doctor', '--json'], { env: { CONDUIT_RUNTIME_DIR: '/dev/null' } })
    expect(await started.ended).to.equal(1)
    const { works, checks } = JSON.parse(started.output)
    const failed = checks.filter(({ state }: { state: string }) => state === 'fail')
    expect(works).to.equal(false)
    expect(failed.map(({ name }: { name: string }) => name)).to.deep.equal(['runtime directory', 'channel'])
    expect(failed[0].text).to.contain('/dev/null is not a folder')
    expect(failed[0].fix).to.be.a('string')
  })

  it('demo moves a file between two processes, shows the flow, and leaves nothing', async () => {
    const text = await outputOf(['demo', '--size', '128M'], { env: { TMPDIR: world.directory } })
    expect(text).to.match(/^ +backup +\d+ +1$/m)
    expect(text).to.match(/left +client->server +18 +256 KiB +\d+ +\d+ +262144 +100%/)
    expect(text).to.match(/128 MiB in [\d.]+ s.*\/s/)
    expect(text).to.contain('every byte has arrived')
    const [sent, received] = [...text.matchAll(/SHA-256 ([0-9a-f]{64})/g)].map(([, hash]) => hash)
    expect(sent).to.equal(received)
    expect(readdirSync(world.directory).join()).to.not.contain('conduit-demo')
  })

  /** Those of this test's demo: anybody on this machine may run another. */
  const greeters = () =>
    [...commandLines()].filter(
      ([pid, args]) => args.includes('greeter') && environmentOf(pid).includes(`TMPDIR=${world.directory}`),
    )

  it('demo summons a service, and shows what happened when', async () => {
    const text = await outputOf(['demo', '--size', '1M'], { env: { TMPDIR: world.directory } })
    const steps = ['6. jitsud, with one service', '7. a client: conduit-cat greeter', 'hello, I was not there']
    for (const step of [...steps, 'greeter, summon 1: ready after', 'by conduit, 1 asker'])
      expect(text).to.contain(step)
    expect(greeters()).to.deep.equal([])
  })

  it('demo ends with 130 on Ctrl-C while its service boots, and leaves nothing of it', async () => {
    const started = cats.start(['demo', '--size', '1M'], { env: { TMPDIR: world.directory } })
    await started.prints('7. ')
    started.kill('SIGINT')
    expect(await started.ended).to.equal(130)
    await until(() => greeters().length === 0)
    expect(readdirSync(world.directory).join()).to.not.contain('conduit-demo')
  })

  it('demo cleans up and ends with 130 on Ctrl-C', async () => {
    const started = cats.start(['demo', '--size', '256M'], { env: { TMPDIR: world.directory } })
    await started.prints('1. ')
    started.kill('SIGINT')
    expect(await started.ended).to.equal(130)
    expect(readdirSync(world.directory).join()).to.not.contain('conduit-demo')
  })

  it('--help begins with examples and --version is that of the package', async () => {
    expect(await outputOf(['--help'])).to.match(/^Examples:\n {2}conduit-cat -l hello/)
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
    expect(await outputOf(['--version'])).to.equal(`${version}\n`)
  })
})
