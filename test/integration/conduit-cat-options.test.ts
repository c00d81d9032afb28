// conduit-cat's options: a command per connection, the handshake alone, the summary, the meter, the page on a signal.
import { expect } from 'chai'
import { CatProcesses } from '../support/cat-process.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? ''

describe("conduit-cat's options", () => {
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

  async function outcome(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const started = cats.start(args, { stdin: 'ignore', env })
    return { ended: await started.ended, complaints: started.complaints }
  }

  it('-e runs a command on the connection and tells it who is there', async () => {
    const listener = await cats.listen(['-l', 'web', '-e', 'echo "$CONDUIT_NAME $CONDUIT_PEER_DOMID"; cat'], {
      stdin: 'ignore',
    })
    const client = cats.start(['--json', 'web'])
    client.stdin.end('and back')
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
    expect(client.output).to.match(/^web \d+\nand back$/)
    expect(listener.complaints).to.contain(`connection from domain ${/web (\d+)/.exec(client.output)?.[1]}`)
  })

  it("-e makes the command's status that of a listener for one connection", async () => {
    const listener = await cats.listen(['-l', 'web', '-e', 'exit 7'], { stdin: 'ignore' })
    expect(await cats.start(['web']).ended).to.equal(0)
    expect(await listener.ended).to.equal(7)
  })

  it('-e ends the command when the connection breaks', async () => {
    const listener = await cats.listen(['-l', 'web', '-e', 'echo up; exec sleep 1000'], { stdin: 'ignore' })
    const client = cats.start(['web'])
    await client.prints('up')
    client.kill('SIGKILL')
    expect(await listener.ended).to.equal(1)
    expect(listener.complaints).to.contain('ECONNRESET')
  })

  it('-k -e serves many at once, and goes on after one that failed', async () => {
    const listener = await cats.listen(['-kl', 'web', '-e', 'cat'], { stdin: 'ignore' })
    const clients = Array.from({ length: 3 }, () => cats.start(['web']))
    for (const [index, client] of clients.entries()) {
      client.stdin.write(`hello ${index}`)
      await client.prints(`hello ${index}`)
    }
    clients[0]!.kill('SIGKILL')
    await listener.says(/ECONNRESET/)
    for (const client of clients.slice(1)) {
      client.stdin.end(', bye')
      expect(await client.ended).to.equal(0)
    }
    expect(clients[2]!.output).to.equal('hello 2, bye')
    expect(listener.child.exitCode).to.equal(null)
  })

  it('-e costs the connection and its line, not the listener with -k, when the command cannot be started', async () => {
    const listener = await cats.listen(['-kl', 'web', '-e', 'cat'], { stdin: 'ignore', env: { PATH: world.directory } })
    for (let times = 1; times <= 2; times++) {
      const client = cats.start(['web'])
      expect(await client.ended).to.equal(1)
      expect(client.complaints).to.match(/^conduit-cat: ECONNRESET: [^\n]+\n$/)
    }
    await listener.says(/(SYSTEM: run a command: spawn sh ENOENT.*){2}/s)
    expect(listener.child.exitCode).to.equal(null)
  })

  it('-z connects and sends nothing; -v says how long it took', async () => {
    const listener = await cats.listen(['-l', 'web'], { stdin: 'ignore' })
    const client = cats.start(['-zv', 'web'])
    expect(await client.ended).to.equal(0)
    expect(client.complaints).to.match(/^conduit-cat: web: connected to domain \d+ in [\d.]+ (µs|ms|s)\n$/)
    expect([client.output, listener.output, await listener.ended]).to.deep.equal(['', '', 0])
    expect(await cats.start(['-z', 'web']).ended).to.equal(1)
  })

  it('--json sums the transfer up in one line', async () => {
    const listener = await cats.listen(['--json', '-l', 'web'])
    const client = cats.start(['--json', 'web'])
    client.stdin.end('four')
    listener.stdin.end('seven, ')
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
    const [theirs, ours] = [listener, client].map(({ complaints }) => JSON.parse(lastLine(complaints)))
    expect(client.complaints.split('\n')).to.have.length(2)
    expect(ours).to.include({ name: 'web', role: 'connect', bytesIn: 7, bytesOut: 4, exitCode: 0, error: null })
    expect(theirs).to.include({ role: 'listen', bytesIn: 4, bytesOut: 7, connections: 1, exitCode: 0 })
    expect(ours.wakeups).to.be.a('number')
    expect(ours.seconds).to.be.above(0)
    expect(ours.peerDomid).to.not.equal(theirs.peerDomid)
  })

  it('--json carries the error instead of its line', async () => {
    const client = cats.start(['--json', 'nobody'])
    expect(await client.ended).to.equal(1)
    const { exitCode, error, bytesIn, peerDomid } = JSON.parse(client.complaints)
    expect({ exitCode, bytesIn, peerDomid }).to.deep.equal({ exitCode: 1, bytesIn: 0, peerDomid: null })
    expect(error.code).to.equal('ENOENT')
    expect(error.hint).to.be.a('string')
  })

  it('--json is one object on stderr whatever went wrong, wrong usage too', async () => {
    const cases: [number, string, readonly string[], NodeJS.ProcessEnv?][] = [
      [1, 'ENOENT', ['-z', 'nobody']],
      [1, 'ETIMEDOUT', ['--wait', '-w', '0.1', 'nobody']],
      [1, 'RUNTIME_DIR', ['-l', 'web'], { CONDUIT_RUNTIME_DIR: '/proc/nowhere' }],
      [1, 'SUBSTRATE_UNAVAILABLE', ['web'], { CONDUIT_BACKEND: 'xen' }],
      [2, 'EINVAL', ['web'], { CONDUIT_BACKEND: 'kvm' }],
      [2, 'EINVAL', ['A b']],
      [2, 'EINVAL', ['-w', 'soon', 'web']],
      [2, 'EINVAL', []],
    ]
    for (const [status, code, args, env] of cases) {
      const { ended, complaints } = await outcome(['--json', ...args], env)
      const { exitCode, error } = JSON.parse(complaints)
      expect([ended, exitCode, error.code], args.join(' ')).to.deep.equal([status, status, code])
      expect(error.message).to.be.a('string')
    }
  })

  it('--meter shows rates, wake-ups and ring fill in plain lines where stderr is no terminal', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['--meter', 'web'])
    client.stdin.write('some')
    await client.says(/in 0 B\/s \(0 B\) {2}out \d+ B\/s \(4 B\) {2}\d+ wake-ups\/s {2}ring in 0% out 0%\n/)
    listener.stdin.end()
    client.stdin.end()
    expect(await client.ended).to.equal(0)
    expect(lastLine(client.complaints)).to.match(/^total: in 0 B .* out 4 B .* wake-ups/)
  })

  it('--meter lets the transfer go on when stderr has gone', async () => {
    const listener = await cats.listen(['-l', 'web'])
    const client = cats.start(['--meter', 'web'])
    client.child.stderr!.destroy()
    const first = cats.start(['ls'])
    await first.ended
    listener.stdin.end('still here')
    client.stdin.end()
    expect([await client.ended, client.output]).to.deep.equal([0, 'still here'])
  })

  it('SIGUSR1 prints the control page of the open connection', async () => {
    await cats.listen(['-l', 'web'])
    const client = cats.start(['-v', 'web'])
    await client.says(/connected to/)
    client.stdin.write('four')
    await cats.start(['ls']).ended
    client.kill('SIGUSR1')
    await client.says(/left {2}client->server +18 +256 KiB +4 /)
    await client.says(/live +client connected \(1\), server connected \(1\)/)
  })
})
