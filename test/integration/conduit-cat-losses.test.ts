// What a sender may conclude: 0 says that the other side has handed every byte on. Each order in which a command, or the
// reader of a listener's stdout, can go away is one case.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { CatProcesses } from '../support/cat-process.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'

const MIB = 1024 * 1024

describe('a sender is told that its bytes were not taken', () => {
  let world: LocalWorld
  let cats: CatProcesses
  let fifo: number | undefined
  beforeEach(() => {
    world = localWorld()
    cats = new CatProcesses(world.directory)
  })
  afterEach(async () => {
    if (fifo !== undefined) closeSync(fifo)
    fifo = undefined
    await cats.close()
    await world.close()
  })

  /** A command that waits until `open()`. */
  function gate(): { command: string; open(): void } {
    const path = join(world.directory, 'gate')
    execFileSync('mkfifo', [path])
    // Both ends: a gate that nobody waits at any more must not keep this process.
    fifo = openSync(path, 'r+')
    return { command: `read _ < ${path}`, open: () => writeSync(fifo!, '\n') }
  }

  const takers: Record<string, [command: string, bytes: number, output: string]> = {
    'a part of a few bytes, and ends': ['head -c 1', 2, 'x'],
    'a part of many bytes, and ends': ['head -c 1', 4 * MIB, 'x'],
    'nothing, and ends at once': ['exit 0', 1, ''],
    'nothing, and is killed': ['kill -KILL $$', 1, ''],
    'a part, and has closed its stdout before': ['exec > /dev/null; head -c 1', 2, ''],
    'nothing, and closes its stdin first': ['exec <&-; echo said; echo more', 100_000, 'said\nmore\n'],
  }
  for (const [what, [command, bytes, output]] of Object.entries(takers)) {
    it(`by a command that takes ${what}; what the command wrote arrives`, async () => {
      const listener = await cats.listen(['-l', 'web', '-e', command], { stdin: 'ignore' })
      const client = cats.start(['web'])
      client.stdin.end(Buffer.alloc(bytes, 'x'))
      expect(await client.ended).to.equal(1)
      expect(client.complaints).to.match(/^conduit-cat: (EPIPE|ECONNRESET): [^\n]+\n$/)
      expect(client.output).to.equal(output)
      expect(await listener.ended).to.equal(command.startsWith('kill') ? 137 : 0)
    })
  }

  it('by a command that closes its stdin and goes on: everything it writes arrives before that', async () => {
    const { command, open } = gate()
    await cats.listen(['-l', 'web', '-e', `exec <&-; echo up; ${command}; echo down`], { stdin: 'ignore' })
    const client = cats.start(['web'])
    await client.prints('up\n')
    client.stdin.end('nobody reads this')
    await new Promise((resolve) => client.stdin.once('finish', resolve))
    open()
    expect([await client.ended, client.output]).to.deep.equal([1, 'up\ndown\n'])
  })

  it('not before a command that has closed its stdout has taken everything', async () => {
    const { command, open } = gate()
    const path = join(world.directory, 'taken')
    const run = `exec > ${path}; ${command}; cat`
    const listener = await cats.listen(['-l', 'web', '-e', run], { stdin: 'ignore' })
    const client = cats.start(['-v', 'web'])
    client.stdin.end('all of it')
    await listener.says(/connection from/)
    expect(client.child.exitCode).to.equal(null)
    open()
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
    expect(readFileSync(path, 'utf8')).to.equal('all of it')
  })

  it('by a command that reads no more, whose peer is killed meanwhile: nothing of the command is left', async () => {
    const listener = await cats.listen(['-l', 'web', '-e', 'exec <&-; exec yes'], { stdin: 'ignore' })
    const client = cats.start(['web'])
    client.stdin.write('nobody reads this')
    await client.prints('y\n')
    client.kill('SIGKILL')
    expect(await listener.ended).to.equal(1)
    expect(listener.complaints).to.contain('ECONNRESET')
  })

  for (const bytes of [10, 100_000, 4 * MIB]) {
    it(`by a listener whose stdout nobody reads, of ${bytes} bytes`, async () => {
      const listener = await cats.listen(['-l', 'web'], { stdin: 'ignore' })
      listener.stdout.destroy()
      const client = cats.start(['web'])
      client.stdin.end(Buffer.alloc(bytes))
      expect(await client.ended).to.equal(1)
      expect(client.complaints).to.match(/^conduit-cat: (EPIPE|ECONNRESET): [^\n]+\n$/)
      expect(await listener.ended).to.equal(141)
    })

    it(`by a listener whose disk is full, of ${bytes} bytes`, async () => {
      const full = openSync('/dev/full', 'w')
      const listener = await cats.listen(['-l', 'web'], { stdin: 'ignore', stdout: full })
      closeSync(full)
      const client = cats.start(['web'])
      client.stdin.end(Buffer.alloc(bytes))
      expect(await client.ended).to.equal(1)
      expect(client.complaints).to.match(/^conduit-cat: (EPIPE|ECONNRESET): [^\n]+\n$/)
      expect(await listener.ended).to.equal(1)
      expect(listener.complaints).to.match(/conduit-cat: SYSTEM: write to standard output: [^\n]*ENOSPC[^\n]*\n$/)
    })
  }
})
