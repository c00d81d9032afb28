// Programs that the process launcher starts: their session, their output, their end, and who they are after a restart.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import type { LaunchContext, Launched } from '../../src/jitsu/launcher.js'
import { Launchers } from '../../src/jitsu/launchers/launchers.js'
import { BACKLOG_BYTES, EMPTIED_BYTES } from '../../src/jitsu/launchers/output-file.js'
import { identityOf, sessionMembers } from '../../src/jitsu/launchers/process-table.js'
import { processStat } from '../../src/process-stat.js'
import { servicesOf } from '../support/directory-world.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { until } from '../support/local-world.js'

describe('process launcher', () => {
  let directory: string
  const started: Launched[] = []
  const lines: string[] = []
  const order: string[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-launch-'))
    lines.length = 0
    order.length = 0
  })
  afterEach(async () => {
    for (const launched of started.splice(0)) {
      await launched.stop('destroy')
      expect(sessionMembers(launched.pid!)).to.deep.equal([])
    }
    rmSync(directory, { recursive: true })
  })

  const context = (more: Partial<LaunchContext> = {}): LaunchContext => ({
    service: 'www',
    signal: new AbortController().signal,
    created: async () => void order.push('created'),
    step: (step) => void order.push(step),
    log: (line) => void lines.push(line),
    ...more,
  })
  const launcherOf = async (launcher: object) => {
    const [config] = servicesOf({ name: 'www', launcher: { kind: 'process', ...launcher } })
    const launchers = await Launchers.open({ directory: join(directory, 'files'), runtimeDir: '/run/mine' })
    return launchers.launcherOf(config as ServiceConfig)
  }
  const launch = async (command: string[], more: object = {}): Promise<Launched> => {
    const launched = await (await launcherOf({ command, ...more })).launch(context())
    started.push(launched)
    return launched
  }
  const shell = (script: string): Promise<Launched> => launch(['sh', '-c', script])

  it('starts it in a session of its own, without stdin, with its variables, where it was told', async () => {
    const launched = await launch(
      ['sh', '-c', 'cat; echo "$A $CONDUIT_RUNTIME_DIR $(pwd) $0 $1"; sleep 1000', 'zero', 'o n e'],
      {
        env: { A: 'b' },
        cwd: directory,
      },
    )
    await until(() => lines.length > 0)
    expect(lines).to.deep.equal([`b /run/mine ${directory} zero o n e`])
    expect(processStat(launched.pid!)).to.deep.include({
      session: launched.pid,
      group: launched.pid,
      pid: launched.pid,
    })
    expect(launched.domid).to.equal(undefined)
    expect(order).to.deep.equal(['built', 'created', 'unpaused'])
  })

  it('lets it run only when its name is kept for it', async () => {
    const launcher = await launcherOf({ command: ['sh', '-c', 'echo runs; sleep 1000'] })
    let pid = 0
    const launching = launcher.launch(
      context({
        created: async (instance) => {
          pid = instance.pid!
          expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).to.match(/^\/bin\/sh\0-c\0read/)
          expect(lines).to.deep.equal([])
        },
      }),
    )
    started.push(await launching)
    await until(() => lines.includes('runs'))
    expect(started[0]!.pid).to.equal(pid)
  })

  it('leaves nothing when it is given up before it runs', async () => {
    const given = new AbortController()
    const launcher = await launcherOf({ command: ['sleep', '1000'] })
    let pid = 0
    const launching = launcher.launch(
      context({
        signal: given.signal,
        created: async (instance) => {
          pid = instance.pid!
          given.abort(new Error('given up'))
        },
      }),
    )
    expect(await rejectionOf(launching)).to.have.property('message', 'given up')
    expect(sessionMembers(pid)).to.deep.equal([])
  })

  it('tells how it ended, after the last line that it printed', async () => {
    const failing = await shell('echo first; echo last >&2; exit 3')
    expect(await failing.ended).to.equal('exit status 3')
    expect(lines).to.deep.equal(['first', 'last'])
    const killed = await shell('kill -9 $$')
    expect(await killed.ended).to.equal('killed by SIGKILL')
  })

  it('ends all of it when the first process ends, such as a program that goes into the background', async () => {
    const launched = await shell('sleep 1000 & (sleep 1000; sleep 1000) & exit 0')
    expect(await launched.ended).to.equal('exit status 0')
    expect(sessionMembers(launched.pid!)).to.deep.equal([])
  })

  it('asks it to end, and kills it when it is told to', async () => {
    const polite = await shell('trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.01; done')
    await until(() => lines.includes('up'))
    await polite.stop('shutdown')
    expect([await polite.ended, lines.at(-1)]).to.deep.equal(['exit status 0', 'bye'])
    lines.length = 0
    const stubborn = await shell('trap "" TERM; echo up; while :; do sleep 0.01; done')
    await until(() => lines.includes('up'))
    const asked = stubborn.stop('shutdown')
    await stubborn.stop('destroy')
    await asked
    expect(await stubborn.ended).to.equal('killed by SIGKILL')
    await stubborn.stop('destroy')
  })

  it('does not suspend, and says why', async () => {
    const launcher = await launcherOf({ command: ['true'] })
    expect(launcher.stopModes).to.deep.equal(['destroy', 'shutdown'])
    const launched = await shell('sleep 1000')
    expect((await expectCode(launched.stop('suspend'), 'LAUNCHER')).message).to.match(/cannot be suspended/)
  })

  it('refuses what is not there or cannot be run, by name', async () => {
    const file = join(directory, 'not-executable')
    writeFileSync(file, '')
    mkdirSync(join(directory, 'bin'))
    for (const [command, message] of [
      ['no-such-program', /no-such-program cannot be started: there is no such program in /],
      ['./missing', /\.\/missing cannot be started: there is no such program$/],
      [file, /is not executable$/],
      ['./bin', /there is no such program$/],
    ] as const) {
      const error = await expectCode(launch([command], { cwd: directory }), 'LAUNCHER')
      expect(error.message).to.match(message)
    }
    const error = await expectCode(launch(['true'], { cwd: join(directory, 'nowhere') }), 'LAUNCHER')
    expect(error.message).to.match(/nowhere is no directory/)
  })

  it('cuts lines that are too long, and keeps the file short', async () => {
    const launched = await shell('head -c 10000 /dev/zero | tr "\\0" x; echo; seq 1 60000; sleep 1000')
    await until(() => lines.includes('60000'))
    expect(lines.slice(0, 3).map((line) => line.length)).to.deep.equal([4096, 4096, 1808])
    expect(lines).to.have.length(3 + 60_000)
    // Emptied once, at the end or on the way, when more than that was read.
    await until(() => statSync(join(directory, 'files', 'www.out')).size < EMPTIED_BYTES)
    await launched.stop('destroy')
  })

  it('drops output that comes faster than it can be read, and does not hold the program up', async () => {
    // All of it is there before the first look.
    const path = join(directory, 'files', 'www.out')
    const launcher = await launcherOf({ command: ['sleep', '1000'] })
    const launched = await launcher.launch(
      context({ created: async () => writeFileSync(path, Buffer.alloc(2 * BACKLOG_BYTES, 'x\n')) }),
    )
    started.push(launched)
    await until(() => lines.some((line) => line.includes('bytes of output were dropped')))
    await until(() => statSync(path).size === 0)
  })

  describe('after a restart', () => {
    const adopt = async (token: unknown): Promise<Launched | undefined> => {
      const launcher = await launcherOf({ command: ['true'] })
      const launched = await launcher.adopt(JSON.parse(JSON.stringify(token)), context())
      if (launched !== undefined) started.push(launched)
      return launched
    }

    it('finds it by pid and start time, hears what it prints and how it can be stopped', async () => {
      const first = await launch([
        'sh',
        '-c',
        'echo before; trap "exit 0" TERM; while :; do sleep 0.02; echo tick; done',
      ])
      await until(() => lines.includes('before'))
      const second = await adopt(first.token)
      expect(second?.pid).to.equal(first.pid)
      lines.length = 0
      await until(() => lines.includes('tick'))
      await second!.stop('shutdown')
      expect(await second!.ended).to.match(/it is gone/)
      expect(await first.ended).to.equal('exit status 0')
    })

    it('never takes another process for it', async () => {
      const launched = await shell('sleep 1000')
      const token = launched.token as { pid: number; startTicks: number; bootId: string }
      const other = identityOf(process.pid)!
      for (const wrong of [
        { ...token, startTicks: token.startTicks + 1 },
        { ...token, bootId: 'another boot of the machine' },
        { ...token, pid: 1 },
        { ...token, pid: String(token.pid) },
        // It lives, and leads no session: jitsud has not started it.
        ...(processStat(process.pid)?.session === process.pid ? [] : [other]),
        {},
        null,
        'token',
        undefined,
      ]) {
        expect(await adopt(wrong ?? null), JSON.stringify(wrong)).to.equal(undefined)
      }
      await launched.stop('destroy')
      expect(await adopt(token)).to.equal(undefined)
    })
  })
})
