// The side of the agent that directs: over streams that the test writes, without an agent.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { AgentConnection } from '../../testbed/agent-connection.js'
import { MachineFolder } from '../../testbed/machine-folder.js'
import { rejectionOf } from '../support/expect-rejection.js'

const failure = (promise: Promise<unknown>) => rejectionOf(promise) as Promise<Error>

describe('a connection to an agent', () => {
  let fromAgent: PassThrough
  let toAgent: PassThrough
  let connection: AgentConnection
  beforeEach(() => {
    fromAgent = new PassThrough()
    toAgent = new PassThrough()
    connection = new AgentConnection(fromAgent, toAgent, ({ otherLines }) => ['gone', ...otherLines].join('; '))
  })

  function say(...lines: string[]): void {
    fromAgent.write(lines.map((line) => `${line}\n`).join(''))
  }
  const told = () => String(toAgent.read() ?? '')
  const encoded = (text: string) => Buffer.from(text).toString('base64')

  it('is ready when the agent says so', async () => {
    say('[    1.0] the kernel', 'ready')
    await connection.ready
    expect(connection.otherLines).to.deep.equal(['[    1.0] the kernel'])
  })

  it('tells commands apart, their streams and their ends', async () => {
    const [first, second] = [connection.spawn('one'), connection.spawn('two')]
    expect(told()).to.equal(`start 1 ${encoded('one')}\nstart 2 ${encoded('two')}\n`)
    say(`out 2 ${encoded('b')}`, `out 1 ${encoded('a')}`, `err 1 ${encoded('e')}`, 'exit 2 0', 'exit 1 137')
    expect(await first.wait()).to.deep.equal({ status: 137, output: 'a', errors: 'e' })
    expect(await second.wait()).to.deep.equal({ status: 0, output: 'b', errors: '' })
  })

  it('keeps characters whole that come in two pieces', async () => {
    const process = connection.spawn('x')
    const bytes = Buffer.from('€')
    say(`out 1 ${bytes.subarray(0, 1).toString('base64')}`, `out 1 ${bytes.subarray(1).toString('base64')}`, 'exit 1 0')
    expect((await process.wait()).output).to.equal('€')
  })

  it('finds what a command prints in pieces, and fails once it cannot come any more', async () => {
    const process = connection.spawn('x')
    const listening = process.printed(/listening on (\d+)/)
    const never = failure(process.printed(/never/))
    say(`out 1 ${encoded('list')}`, `out 1 ${encoded('ening on 7')}`)
    expect((await listening)[1]).to.equal('7')
    const trouble = process.printed(/trouble/)
    say(`err 1 ${encoded('trouble')}`, 'exit 1 3')
    await trouble
    expect((await never).message).to.match(/x ended \(status 3\) without printing \/never\/: listening on 7trouble/)
  })

  it('says so at once when a command has ended already', async () => {
    const process = connection.spawn('x')
    say(`out 1 ${encoded('word')}`, 'exit 1 0')
    await process.wait()
    expect((await process.printed(/word/))[0]).to.equal('word')
    expect((await failure(process.printed(/other/))).message).to.match(/status 0/)
  })

  it('sends signals by number', () => {
    connection.spawn('x').kill('SIGKILL')
    expect(told()).to.match(/signal 1 9\n$/)
  })

  it('rejects everything with the last lines when the domain ends, and what comes after', async () => {
    const waiting = [connection.spawn('x').wait(), connection.ready].map(failure)
    say('Kernel panic')
    fromAgent.end()
    for (const error of await Promise.all(waiting)) expect(error.message).to.equal('gone; Kernel panic')
    expect((await failure(connection.run('y'))).message).to.equal('gone; Kernel panic')
  })

  it('takes the error of a terminal that hangs up for its end', async () => {
    const waiting = failure(connection.spawn('x').wait())
    fromAgent.destroy(new Error('EIO'))
    expect((await waiting).message).to.equal('gone')
    await turn()
  })
})

describe('the folder of a machine', () => {
  it('takes away those of processes that are no more, and no others', () => {
    const parent = mkdtempSync(join(tmpdir(), 'conduit-folders-'))
    try {
      // Above every pid of Linux.
      for (const name of ['conduit-xen-4194305-a', `conduit-xen-${process.pid}-a`, 'conduit-xen-a', 'other']) {
        mkdirSync(join(parent, name, 'below'), { recursive: true })
      }
      const folder = new MachineFolder(parent)
      expect(readdirSync(parent)).to.have.length(4)
      folder.remove()
      folder.remove()
      expect(readdirSync(parent).sort()).to.deep.equal([`conduit-xen-${process.pid}-a`, 'conduit-xen-a', 'other'])
    } finally {
      rmSync(parent, { recursive: true })
    }
  })
})
