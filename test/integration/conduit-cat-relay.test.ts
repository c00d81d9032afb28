// conduit-cat as a relay: two real processes, a name, and bytes both ways.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { CatProcesses, CONDUIT_CAT } from '../support/cat-process.js'
import { type LocalWorld, localWorld, until } from '../support/local-world.js'

describe('conduit-cat relays', () => {
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

  it('stdin and stdout both ways, and ends with 0 when both directions have ended', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['web'])
    listener.stdin.end('from the listener')
    client.stdin.end('from the client')
    expect([await listener.ended, await client.ended]).to.deep.equal([0, 0])
    expect(listener.output).to.equal('from the client')
    expect(client.output).to.equal('from the listener')
    expect(client.complaints).to.equal('')
  })

  it('half-closed: one direction has ended, the other goes on', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['web'], { stdin: 'ignore' })
    await listener.says(/connection from/)
    listener.stdin.write('first ')
    await client.prints('first')
    listener.stdin.end('second')
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
    expect(client.output).to.equal('first second')
  })

  it('the end of the peer to the reader of stdout, although stdin stays open', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['web'], { unread: true })
    const chunks = client.stdout.toArray()
    listener.stdin.end('all of it')
    expect(Buffer.concat(await chunks).toString()).to.equal('all of it')
    expect(client.child.exitCode).to.equal(null)
    client.stdin.end()
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
  })

  it('nothing to a client whose stdin stays open once its peer has closed', async () => {
    await cats.listen(['-l', 'time', '-e', 'echo noon'], { stdin: 'ignore' })
    const client = cats.start(['time'])
    expect(await client.ended).to.equal(0)
    expect(client.output).to.equal('noon\n')
  })

  it('files of any size through files, pipes and the rings between', async () => {
    const script = `
      head -c 20000000 /dev/urandom > sent
      node "$CAT" -l web < /dev/null > received & listener=$!
      cat sent | node "$CAT" --wait web > nothing || exit 11
      wait $listener || exit 12
      cmp sent received && test ! -s nothing`
    await promisify(execFile)('sh', ['-c', script], {
      cwd: world.directory,
      env: { ...process.env, CAT: CONDUIT_CAT, CONDUIT_RUNTIME_DIR: world.directory },
    })
  })

  it('into a command substitution, which does not wait for the hypervisor', async () => {
    const script = `
      node "$CAT" -l web -e 'echo hello' < /dev/null > /dev/null &
      echo "got $(node "$CAT" --wait web < /dev/null)"`
    const { stdout } = await promisify(execFile)('sh', ['-c', script], {
      env: { ...process.env, CAT: CONDUIT_CAT, CONDUIT_RUNTIME_DIR: world.directory },
    })
    expect(stdout).to.equal('got hello\n')
  })

  it('from a stdin that is not open as from an empty one', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const running = promisify(execFile)('sh', ['-c', `exec node "${CONDUIT_CAT}" web <&-`], {
      env: { ...process.env, CONDUIT_RUNTIME_DIR: world.directory },
    })
    listener.stdin.end('read all the same')
    expect((await running).stdout).to.equal('read all the same')
    expect(await listener.ended).to.equal(0)
  })

  it('one connection after the other with -k, each to its end', async () => {
    const listener = await cats.listen(['-kl', 'web'])
    for (const text of ['one ', 'two ', 'three']) {
      const client = cats.start(['web'])
      client.stdin.end(text)
      expect(await client.ended).to.equal(0)
    }
    await listener.prints('one two three')
    const client = cats.start(['web'])
    listener.stdin.end('to the fourth')
    await client.prints('to the fourth')
    client.stdin.end()
    expect(await client.ended).to.equal(0)
    listener.kill('SIGTERM')
    expect(await listener.ended).to.equal(143)
  })

  it('to the name once it appears, with --wait', async () => {
    const client = cats.start(['-v', '--wait', 'late'], { stdin: 'ignore' })
    await until(() => world.hypervisors().length === 1)
    const listener = await cats.listen(['-l', 'late'])
    listener.stdin.end('at last')
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
    expect(client.output).to.equal('at last')
  })

  it('through rings of the size asked for', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['-v', '--ring', '64k', 'web'], { stdin: 'ignore' })
    await client.says(/rings of 64 KiB in, 64 KiB out/)
    listener.stdin.end()
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
  })
})
