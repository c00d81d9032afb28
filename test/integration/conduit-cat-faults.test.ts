// How conduit-cat ends when something goes wrong: the status, and one line on stderr.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { CatProcesses, CONDUIT_CAT } from '../support/cat-process.js'
import { commandLines, type LocalWorld, localWorld, until } from '../support/local-world.js'

const line = (code: string): RegExp => new RegExp(`^conduit-cat: ${code}: [^\\n]+\\n$`)

describe('conduit-cat ends', () => {
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

  it('with 1 and ENOENT when nobody holds the name', async () => {
    const client = cats.start(['nobody'])
    expect(await client.ended).to.equal(1)
    expect(client.complaints).to.match(line('ENOENT')).and.to.contain('nobody')
  })

  it('with 1 and EADDRINUSE when the name is taken', async () => {
    await cats.listen(['-l', 'web'])
    const second = cats.start(['-l', 'web'])
    expect(await second.ended).to.equal(1)
    expect(second.complaints).to.match(line('EADDRINUSE'))
  })

  it('with 1 and ETIMEDOUT when the name does not appear in the time of -w', async () => {
    // The time is for the name: the hypervisor is there.
    await cats.listen(['-l', 'web'])
    const client = cats.start(['--wait', '-w', '1', 'nobody'])
    expect(await client.ended).to.equal(1)
    expect(client.complaints).to.match(line('ETIMEDOUT'))
  })

  it('with 1 and ETIMEDOUT when no byte moves for the time of -w', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['-w', '0.3', 'web'])
    expect(await client.ended).to.equal(1)
    expect(client.complaints).to.match(line('ETIMEDOUT'))
    expect(await listener.ended).to.equal(1)
  })

  for (const [role, other] of [
    ['client', 'listener'],
    ['listener', 'client'],
  ] as const) {
    it(`with 1 and ECONNRESET in a ${role} that only reads, after every byte, when the ${other} is killed`, async () => {
      const listener = await cats.listen(['-l', 'web'], role === 'listener' ? { stdin: 'ignore' } : {})
      const client = cats.start(['-v', 'web'], role === 'client' ? { stdin: 'ignore' } : {})
      const [reader, writer] = role === 'client' ? [client, listener] : [listener, client]
      await reader.says(/connect(ed to|ion from)/)
      writer.stdin.write('the last words')
      await reader.prints('the last words')
      writer.kill('SIGKILL')
      expect(await reader.ended).to.equal(1)
      expect(reader.output).to.equal('the last words')
      expect(reader.complaints).to.match(/conduit-cat: ECONNRESET: [^\n]+\n$/)
    })
  }

  it('with 1 in mid-transfer, with a piece of the file from its start, when the sender is killed', async () => {
    const sent = randomBytes(32 * 1024 * 1024)
    const listener = await cats.listen(['-l', 'web'], { stdin: 'ignore' })
    const client = cats.start(['web'])
    client.stdin.end(sent)
    await until(() => listener.received.length > 1024 * 1024)
    client.kill('SIGKILL')
    expect(await listener.ended).to.equal(1)
    expect(listener.complaints).to.match(/ECONNRESET/)
    const { received } = listener
    expect(received.length).to.be.below(sent.length)
    expect(received.equals(sent.subarray(0, received.length))).to.equal(true)
  })

  it('never because of another connection whose peer is stopped', async () => {
    await cats.listen(['-kl', 'web', '-e', 'cat'], { stdin: 'ignore' })
    const stopped = cats.start(['web'])
    stopped.stdin.write('hello')
    await stopped.prints('hello')
    stopped.kill('SIGSTOP')
    const other = cats.start(['web'])
    other.stdin.end('goes on')
    expect([await other.ended, other.output]).to.deep.equal([0, 'goes on'])
    stopped.kill('SIGCONT')
    stopped.stdin.end(' again')
    expect([await stopped.ended, stopped.output]).to.deep.equal([0, 'hello again'])
  })

  it('with 1 when the peer is killed, also when the command does not want to end; and nothing of the command is left', async () => {
    const command = 'trap "" TERM; echo $$; while :; do sleep 0.05; done'
    const listener = await cats.listen(['-l', 'web', '-e', command], { stdin: 'ignore' })
    const client = cats.start(['web'])
    await client.prints('\n')
    client.kill('SIGKILL')
    expect(await listener.ended).to.equal(1)
    const shell = Number(client.output)
    await until(() => !commandLines().has(shell))
  })

  it('with 1 when the peer closes before everything was sent', async () => {
    await cats.listen(['-l', 'web', '-e', 'head -c 1'], { stdin: 'ignore' })
    const client = cats.start(['web'])
    const bytes = Buffer.alloc(4 * 1024 * 1024)
    client.stdin.end(bytes)
    expect(await client.ended).to.equal(1)
    expect(client.complaints).to.match(line('EPIPE|ECONNRESET'))
  })

  it('quietly when nobody reads its stdout any more', async () => {
    await cats.listen(['-l', 'web', '-e', 'yes'], { stdin: 'ignore' })
    const script = `set -o pipefail; node "${CONDUIT_CAT}" web < /dev/null | head -1`
    const running = promisify(execFile)('bash', ['-c', script], {
      env: { ...process.env, CONDUIT_RUNTIME_DIR: world.directory },
    })
    const { code, stdout, stderr } = await running.catch((error) => error)
    expect({ code, stdout, stderr }).to.deep.equal({ code: 141, stdout: 'y\n', stderr: '' })
  })

  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`with ${status} on ${signal}, connected or not, and gives the name back`, async () => {
      const listener = await cats.listen(['-l', 'web'])
      const client = cats.start(['-v', 'web'])
      await listener.says(/connection from/)
      await client.says(/connected to/)
      client.kill(signal)
      expect(await client.ended).to.equal(status)
      expect(await listener.ended).to.equal(1)
      expect(listener.complaints).to.match(/ECONNRESET/)
      const again = await cats.listen(['-l', 'web'])
      again.kill(signal)
      expect(await again.ended).to.equal(status)
      expect((await cats.listen(['-l', 'web'])).child.exitCode).to.equal(null)
    })
  }

  it('with 1 when stdin cannot be read', async () => {
    await cats.listen(['-l', 'web'])
    const script = `exec node "${CONDUIT_CAT}" web < /`
    const { code, stderr } = await promisify(execFile)('sh', ['-c', script], {
      env: { ...process.env, CONDUIT_RUNTIME_DIR: world.directory },
    }).catch((error) => error)
    expect(code).to.equal(1)
    expect(stderr).to.match(line('SYSTEM')).and.to.contain('EISDIR')
  })

  const misuses: Record<string, readonly string[]> = {
    'a name that cannot be one': ['A b'],
    'a name of digits only': ['-l', '123'],
    'an address of another kind': ['listen:tcp://localhost:80'],
    'a socket without a port': ['tcp://localhost'],
    'a listener of another kind': ['-l', 'tcp://localhost:80'],
    'no name': [],
    'an unknown option': ['--colour', 'web'],
    'a ring that cannot be': ['--ring', '2M', 'web'],
    'a time that is none': ['-w', 'soon', 'web'],
    '-k without -l': ['-k', 'web'],
    '-z with -l': ['-z', '-l', 'web'],
    '--wait with -l': ['--wait', '-l', 'web'],
    'a name too many': ['web', 'two'],
    'a subcommand where a name is meant': ['-l', 'ls'],
    'a count of nothing': ['ping', '-c', '0', 'web'],
    'ping without a name': ['ping'],
  }
  for (const [what, args] of Object.entries(misuses)) {
    it(`with 2 on wrong usage: ${what}`, async () => {
      const started = cats.start(args)
      expect(await started.ended).to.equal(2)
      expect(started.complaints).to.match(/^conduit-cat: [^\n]+ \(see conduit-cat --help\)\n$/)
      expect(started.output).to.equal('')
    })
  }

  for (const address of [
    'tcp://localhost:99999',
    'tls://localhost:99999',
    'http://a.example:99999/',
    'a.example:99999',
  ]) {
    it(`with 2 and the range of ports on wrong usage: ${address}`, async () => {
      const started = cats.start([address])
      expect(await started.ended).to.equal(2)
      expect(started.complaints).to.match(/^conduit-cat: EINVAL: "99999" cannot be a port: use 1 to 65535[^\n]*\n$/)
    })
  }

  it('with 2 when CONDUIT_BACKEND names none', async () => {
    const started = cats.start(['web'], { env: { CONDUIT_BACKEND: 'kvm' } })
    expect(await started.ended).to.equal(2)
    expect(started.complaints).to.contain('CONDUIT_BACKEND').and.to.contain('kvm')
  })

  it('with 1 when the backend is not there', async () => {
    const started = cats.start(['web'], { env: { CONDUIT_BACKEND: 'xen' } })
    expect(await started.ended).to.equal(1)
    expect(started.complaints).to.match(line('SUBSTRATE_UNAVAILABLE'))
  })
})
