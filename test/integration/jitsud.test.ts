// The program jitsud as its users see it: from a configuration to an answer, with real processes.

import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { listServiceStates } from '../../src/conduit/service-states.js'
import { openEnvironment } from '../../src/open.js'
import { queryDns } from '../../src/resolver/dns-client.js'
import { eventually } from '../support/eventually.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { REPOSITORY } from '../support/installed-package.js'
import { JITSUD, type JitsudProcess, JitsudWorld, parts, runs } from '../support/jitsud-process.js'
import { commandLines, HYPERVISOR_ENTRY } from '../support/local-world.js'
import { NotifySocket } from '../support/notify-socket.js'
import { readXml } from '../support/well-formed-xml.js'

/** As a reader would paste it, with the package as compiled here, and an answer to the whole of a request. */
function documentedServer(): string {
  const page = readFileSync(join(REPOSITORY, 'docs', 'hold.md'), 'utf8')
  const program = /^```js\n(\/\/ server\.mjs\n.*?)^```$/ms.exec(page)![1]!
  const slow = program.replace("response.end('hello\\n')", "request.resume().on('end', () => response.end('hello\\n'))")
  expect(slow).to.not.equal(program)
  return slow.replace("'conduit-vchan'", JSON.stringify(new URL('../../src/index.js', import.meta.url)))
}

/** A command before a command: who has no right to ports below 1024. Root has, unless it gives it up. */
const [UNPRIVILEGED, ...DROPPED] =
  process.getuid!() === 0
    ? ['setpriv', '--bounding-set', '-net_bind_service', '--inh-caps', '-net_bind_service']
    : ['env']
/** Not where util-linux is missing or a container lets nobody drop rights, nor where such ports are everybody's. */
const MAY_DROP =
  spawnSync(UNPRIVILEGED!, [...DROPPED, 'true']).status === 0 &&
  Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) > 53

const DNS = { listen: '127.0.0.1:0' }
const ADMIN = { listen: '127.0.0.1:0' }

describe('jitsud', () => {
  let world: JitsudWorld
  beforeEach(() => {
    world = new JitsudWorld()
  })
  afterEach(() => world.close())

  const ask = async (jitsud: JitsudProcess, name = 'www.example.org') => {
    const { rcode, answers } = await queryDns({ servers: [jitsud.serving.dns!], name, type: 'A', timeoutMs: 50_000 })
    return { rcode, addresses: answers.flatMap((answer) => (answer.type === 'A' ? [answer.address] : [])) }
  }
  const says = async (name: string): Promise<string> => {
    const environment = await openEnvironment({ backend: 'local', runtimeDir: world.runtimeDir })
    try {
      return await text(await environment.connect(name))
    } finally {
      await environment.close()
    }
  }

  it('starts a service when its name is asked for, and answers when it is ready', async () => {
    const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] })
    expect(world.starts('www')).to.deep.equal([])
    expect(await ask(jitsud)).to.deep.equal({ rcode: 'NOERROR', addresses: ['192.0.2.1'] })
    const [pid] = world.starts('www')
    expect(await says('www')).to.equal(`process ${pid}\n`)
  })

  it('tells by DNS the ports of a service, and that it is a conduit of this host', async () => {
    const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www', { ports: { http: 8080 } })] })
    const servers = [jitsud.serving.dns!]
    const { answers } = await queryDns({ servers, name: '_http._tcp.www.example.org', type: 'SRV', timeoutMs: 50_000 })
    expect(answers[0]).to.deep.include({ type: 'SRV', port: 8080, target: 'www.example.org' })
    const environment = { ...process.env, CONDUIT_BACKEND: 'local', CONDUIT_RUNTIME_DIR: world.runtimeDir }
    const cat = fileURLToPath(new URL('../../src/cli/conduit-cat.js', import.meta.url))
    const args = [cat, 'resolve', '--json', '--dns', servers[0]!, 'http://www.example.org/']
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: environment })
    expect(JSON.parse(stdout)).to.include({ uri: 'vchan://www/http' })
  })

  it('starts it once, however many ask meanwhile', async () => {
    const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] })
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(jitsud)))
    expect(answers.every(({ rcode }) => rcode === 'NOERROR')).to.equal(true)
    expect(world.starts('www')).to.have.length(1)
  })

  it('starts it for who connects to its name, without any DNS', async () => {
    const jitsud = await world.start({ services: [world.conduitService('www')] })
    expect(await says('www')).to.equal(`process ${world.starts('www')[0]}\n`)
    expect(jitsud.serving).to.not.have.property('dns')
  })

  it('is done without where a name is nobody’s', async () => {
    await world.start({ services: [world.conduitService('www')] })
    expect(await rejectionOf(says('mail'))).to.include({ code: 'ENOENT' })
  })

  it('hands over who connects to an address that it holds', async () => {
    const port = await freePort()
    const service = {
      name: 'www',
      launcher: { kind: 'process', command: world.command('www', 'http', String(port)) },
      addresses: ['127.0.0.1'],
      ready: { when: 'port', port },
      hold: [{ address: '127.0.0.1:0', handover: 'tcp', target: `127.0.0.1:${port}` }],
    }
    const jitsud = await world.start({ services: [service] })
    const client = connect(jitsud.heldFor('www'))
    client.write('GET / HTTP/1.1\r\nHost: www\r\nConnection: close\r\n\r\n')
    const [pid] = await eventually(() => (world.starts('www').length > 0 ? world.starts('www') : undefined))
    expect(await text(client))
      .to.match(/^HTTP\/1.1 200 /)
      .and.contain(`process ${pid}\n`)
  })

  it('hands descriptors over to the server that docs/hold.md shows, whose clients by name may end first as well', async () => {
    const program = join(world.directory, 'server.mjs')
    writeFileSync(program, documentedServer())
    const service = {
      name: 'www',
      launcher: { kind: 'process', command: [process.execPath, program] },
      hold: [
        { address: '127.0.0.1:0', handover: 'fd' },
        { address: '127.0.0.1:0', handover: 'conduit' },
      ],
    }
    const { serving } = await world.start({ services: [service] })
    for (const { address } of [...serving.held!, ...serving.held!]) {
      const client = connect({ ...parts(address), allowHalfOpen: true })
      client.end('GET / HTTP/1.0\r\n\r\n')
      expect(await text(client)).to.match(/^HTTP\/1.1 200 [\s\S]*hello\n$/)
    }
  })

  it('answers SERVFAIL for a service that ends at once, and says in its status why', async () => {
    const command = world.command('www', 'exit', '3')
    const service = world.conduitService('www', { launcher: { kind: 'process', command } })
    const jitsud = await world.start({ dns: DNS, admin: ADMIN, services: [service] })
    const answer = await queryDns({ servers: [jitsud.serving.dns!], name: 'www.example.org', type: 'A' }).catch(
      (error: Error) => error.message,
    )
    expect(JSON.stringify(answer)).to.contain('SERVFAIL')
    const { output } = await world.run(['status', '--admin', jitsud.serving.admin!])
    expect(output).to.match(/www +stopped .*failed: .*3/)
  })

  describe('when it ends', () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`stops the programs that it started, and is 0 at ${signal}`, async () => {
        const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] })
        await ask(jitsud)
        const [pid] = world.starts('www')
        expect(await jitsud.end(signal)).to.equal(0)
        expect(runs(pid!)).to.equal(false)
      })
    }

    it('leaves them where it was told so, and the next one finds them', async () => {
      const config = { dns: DNS, services: [world.conduitService('www')] }
      const first = await world.start(config, ['--on-exit', 'leave'])
      await ask(first)
      expect([await first.end('SIGTERM'), first.complaints]).to.deep.equal([0, []])
      const second = await world.start(config)
      expect(await ask(second)).to.have.property('rcode', 'NOERROR')
      expect(world.starts('www')).to.have.length(1)
      expect([await second.end('SIGTERM'), second.complaints]).to.deep.equal([0, []])
      expect(runs(world.starts('www')[0]!)).to.equal(false)
    })

    it('ends while a service is still starting, and leaves nothing of it', async () => {
      const service = world.conduitService('www', {
        launcher: { kind: 'process', command: world.command('www', 'hang') },
        ready: { when: 'conduit', timeoutSeconds: 1000 },
      })
      const jitsud = await world.start({ dns: DNS, services: [service] })
      const asked = ask(jitsud).catch(() => undefined)
      const [pid] = await eventually(() => (world.starts('www').length > 0 ? world.starts('www') : undefined))
      expect(await jitsud.end('SIGTERM')).to.equal(0)
      expect(runs(pid!)).to.equal(false)
      void asked
    })
  })

  it('finds after a kill what ran before, and starts it no second time', async () => {
    const config = { dns: DNS, services: [world.conduitService('www')] }
    const killed = await world.start(config)
    await ask(killed)
    await killed.end('SIGKILL')
    const [pid] = world.starts('www')
    expect(runs(pid!)).to.equal(true)
    const next = await world.start(config)
    expect(await ask(next)).to.have.property('rcode', 'NOERROR')
    expect(await says('www')).to.equal(`process ${pid}\n`)
    expect(world.starts('www')).to.deep.equal([pid])
  })

  it('refuses to run beside another one, which goes on', async () => {
    const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] })
    const second = world.launch()
    expect(await second.ended).to.equal(1)
    expect(second.complaints.join('\n')).to.match(/^jitsud: EADDRINUSE: another jitsud keeps /)
    expect(await ask(jitsud)).to.have.property('rcode', 'NOERROR')
  })

  it('goes on when the local hypervisor is killed under it, with what runs and with what is asked for later', async () => {
    const jitsud = await world.start({
      dns: DNS,
      admin: ADMIN,
      services: [world.conduitService('www'), world.conduitService('mail')],
    })
    await ask(jitsud)
    const before = jitsud.log.length
    process.kill(hypervisor(world.runtimeDir), 'SIGKILL')
    await jitsud.says(/^the store is back$/, before)
    const [pid] = world.starts('www')
    expect(await says('www')).to.equal(`process ${pid}\n`)
    expect(await ask(jitsud, 'mail.example.org')).to.have.property('rcode', 'NOERROR')
    expect(world.starts('www')).to.have.length(1)
  })

  describe('at SIGHUP', () => {
    it('takes over what is new, and leaves the rest as it is', async () => {
      const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] })
      await ask(jitsud)
      const address = jitsud.serving.dns
      world.configure({ dns: DNS, services: [world.conduitService('www'), world.conduitService('mail')] })
      await reload(jitsud, /^the configuration was read again$/)
      expect(jitsud.serving.dns).to.equal(address)
      expect(await ask(jitsud, 'mail.example.org')).to.have.property('rcode', 'NOERROR')
      expect(await says('www')).to.equal(`process ${world.starts('www')[0]}\n`)
    })

    it('stops what is gone, and no longer answers for it', async () => {
      const jitsud = await world.start({
        dns: DNS,
        services: [world.conduitService('www'), world.conduitService('mail')],
      })
      await Promise.all([ask(jitsud), ask(jitsud, 'mail.example.org')])
      world.configure({ dns: DNS, services: [world.conduitService('www')] })
      await reload(jitsud, /^the configuration was read again$/)
      const [pid] = world.starts('mail')
      await eventually(() => !runs(pid!))
      expect(await ask(jitsud, 'mail.example.org')).to.have.property('rcode', 'NXDOMAIN')
      expect(runs(world.starts('www')[0]!)).to.equal(true)
    })

    it('moves to another address, where somebody answers before nobody does at the old one', async () => {
      const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] })
      const { dns: before } = jitsud.serving
      world.configure({ dns: { listen: '127.0.0.2:0' }, services: [world.conduitService('www')] })
      await reload(jitsud, /^the configuration was read again$/)
      expect(jitsud.serving.dns).to.match(/^127\.0\.0\.2:/)
      expect(before).to.match(/^127\.0\.0\.1:/)
      expect(await ask(jitsud)).to.have.property('rcode', 'NOERROR')
    })

    for (const [what, config] of [
      ['no JSON', '{'],
      ['a wrong key', { dns: DNS, services: [], extra: 1 }],
      ['an address that is taken', 'taken'],
      ['another state file', { dns: DNS, services: [], stateFile: '/tmp/other' }],
    ] as const) {
      it(`refuses ${what}, says so in its log and its status, and goes on`, async () => {
        const taken = await holdPort()
        const jitsud = await world.start({ dns: DNS, admin: ADMIN, services: [world.conduitService('www')] })
        await ask(jitsud)
        world.configure(
          config === 'taken'
            ? { dns: { listen: portOf(taken) }, admin: ADMIN, services: [world.conduitService('www')] }
            : config,
        )
        const refusal = await reload(jitsud, /^the new configuration is refused/)
        taken.close()
        expect(refusal).to.include({ level: 'error' })
        const { output } = await world.run(['status', '--json', '--admin', jitsud.serving.admin!])
        expect(JSON.parse(output)).to.deep.include({ reloads: 0, reloadError: refusal.error })
        expect(await ask(jitsud)).to.have.property('rcode', 'NOERROR')
        expect(world.starts('www')).to.have.length(1)
      })
    }

    it('drops no question and no connection, however often it comes', async () => {
      const service = world.conduitService('www')
      const jitsud = await world.start({ dns: DNS, services: [service] })
      let asking = true
      const answers: string[] = []
      const load = Array.from({ length: 4 }, async () => {
        while (asking) answers.push((await ask(jitsud)).rcode)
      })
      for (let i = 0; i < 20; i++) {
        world.configure({ dns: DNS, services: i % 2 === 0 ? [service, world.conduitService('mail')] : [service] })
        await reload(jitsud, /^the configuration was read again$/)
      }
      asking = false
      await Promise.all(load)
      expect([...new Set(answers)]).to.deep.equal(['NOERROR'])
      expect(world.starts('www')).to.have.length(1)
    })

    async function reload(jitsud: JitsudProcess, pattern: RegExp) {
      const before = jitsud.log.length
      jitsud.child.kill('SIGHUP')
      return jitsud.says(pattern, before)
    }
  })

  describe('with the command line of Jitsu', () => {
    const WORDS = ['-x', 'libvirt', 'dns=www.example.org,ip=192.0.2.1,name=www']

    it('serves what that means, with its own options beside', async () => {
      const jitsud = world.startWith(['-b', '127.0.0.1', '-l', '0', '-f', '0.0.0.0', ...WORDS])
      await jitsud.says(/^jitsud serves$/)
      const { rcode, answers } = await queryDns({ servers: [jitsud.serving.dns!], name: 'example.org', type: 'SOA' })
      expect([rcode, answers[0]?.type]).to.deep.equal(['NOERROR', 'SOA'])
      expect(await jitsud.end('SIGTERM')).to.equal(0)
    })

    it('ends with 2 for guests of Xen where there is none', async () => {
      const { status, complaints } = await world.run([
        ...['-l', '0', '-x', 'libxl'],
        'dns=www.example.org,ip=192.0.2.1,name=www,kernel=/root/www.xen,memory=64000',
      ])
      expect([status, complaints]).to.deep.equal([
        2,
        'jitsud: CONFIG: service www: the launcher xl needs Xen, and this is not its dom0 (run jitsud in dom0, as root; elsewhere use "kind": "process")\n',
      ])
    })

    it('ends with 2 for words that it does not know', async () => {
      const { status, complaints } = await world.run(['-l', '0', 'dns=www.example.org,ip=192.0.2.1,color=blue'])
      expect(status).to.equal(2)
      expect(complaints)
        .to.match(/^jitsud: [^\n]+\n$/)
        .and.contain('color=blue: there is no such key')
    })

    it('is not taken for it where a configuration is given', async () => {
      const { status, complaints } = await world.run(['-l', '0', '--config', world.configFile])
      expect([status, /unknown option '-l'/.test(complaints)]).to.deep.equal([2, true])
    })
  })

  describe('that cannot start', () => {
    const attempt = async (config: unknown, args: readonly string[] = []) => {
      world.configure(config)
      const jitsud = world.launch(args)
      const status = await jitsud.ended
      return { status, complaints: jitsud.complaints }
    }
    const service = () => world.conduitService('www')

    for (const [what, config, expected] of [
      ['no JSON', '{', 'is no JSON'],
      ['an unknown key', { services: [], servces: [] }, 'servces: there is no such key'],
      ['a wrong value', { services: [{ name: 'www', launcher: { kind: 'docker' } }] }, 'services[0].launcher.kind'],
      ['two services of one name', 'twice', 'services[1].name'],
      ['a port that is none', { dns: { listen: '127.0.0.1:99999' }, services: [] }, 'dns.listen'],
    ] as const) {
      it(`ends with 2 and one line for ${what}`, async () => {
        const { status, complaints } = await attempt(config === 'twice' ? { services: [service(), service()] } : config)
        expect([status, complaints.length]).to.deep.equal([2, 1])
        expect(complaints[0])
          .to.match(/^jitsud: CONFIG: /)
          .and.contain(expected)
      })
    }

    it('ends with 2 where there is no file', async () => {
      const jitsud = world.launch()
      expect(await jitsud.ended).to.equal(2)
      expect(jitsud.complaints.join('\n')).to.contain('CONFIG').and.contain('ENOENT')
    })

    for (const [key, configured] of [
      ['dns.listen', (address: string) => ({ dns: { listen: address }, services: [] })],
      ['admin.listen', (address: string) => ({ admin: { listen: address }, services: [] })],
      [
        'services[0].hold[0].address',
        (address: string) => ({ services: [{ ...service(), hold: [{ address, handover: 'conduit' }] }] }),
      ],
    ] as const) {
      it(`ends with 1, naming ${key} and the address, where that is taken`, async () => {
        const taken = await holdPort()
        const address = portOf(taken)
        const { status, complaints } = await attempt(configured(address))
        taken.close()
        expect(status).to.equal(1)
        expect(complaints.join('\n')).to.contain('EADDRINUSE').and.contain(key).and.contain(address)
      })

      it(`ends with 1, naming ${key} and what it takes, where this user may not listen on port 53`, async function () {
        if (!MAY_DROP) return this.skip()
        world.configure(configured('127.0.0.1:53'))
        const ended = await promisify(execFile)(
          UNPRIVILEGED!,
          [...DROPPED, process.execPath, JITSUD, '--config', world.configFile],
          { env: { ...process.env, ...world.env } },
        ).catch((error) => error as { code: number; stderr: string })
        expect(ended).to.have.property('code', 1)
        expect(ended.stderr)
          .to.match(/^jitsud: EACCES: [^\n]+CAP_NET_BIND_SERVICE[^\n]+\n$/)
          .and.contain(key)
          .and.contain('127.0.0.1:53')
      })
    }

    for (const name of ['zod', 'pino', 'prom-client']) {
      it(`says what to install where ${name} is missing`, async () => {
        world.configure({ admin: ADMIN, services: [service()] })
        const { status, complaints } = await world.run(['--config', world.configFile], {}, without(name))
        expect(status).to.equal(1)
        expect(complaints)
          .to.match(/^jitsud: SYSTEM: [^\n]+\n$/)
          .and.contain(`npm install ${name}`)
      })
    }

    it('leaves alone what an earlier one has left running', async () => {
      const first = await world.start({ dns: DNS, services: [service()] }, ['--on-exit', 'leave'])
      await ask(first)
      await first.end('SIGTERM')
      const taken = await holdPort()
      expect(await attempt({ dns: { listen: portOf(taken) }, services: [service()] })).to.have.property('status', 1)
      taken.close()
      expect(runs(world.starts('www')[0]!)).to.equal(true)
      const next = await world.start({ dns: DNS, services: [service()] })
      await ask(next)
      expect(world.starts('www')).to.have.length(1)
    })
  })

  describe('under systemd', () => {
    let socket: NotifySocket
    beforeEach(async () => {
      socket = await NotifySocket.bind(join(world.directory, 'notify'))
    })
    afterEach(() => socket.close())

    it('is ready, reloads, answers the watchdog and stops, in its own words', async () => {
      const env = { NOTIFY_SOCKET: socket.name, WATCHDOG_USEC: '20000' }
      const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] }, [], env)
      const ready = await socket.received(/^READY=1\n/)
      expect(ready).to.deep.equal({ text: `READY=1\nSTATUS=1 service, DNS at ${jitsud.serving.dns}`, pid: jitsud.pid })
      await socket.received(/^WATCHDOG=1$/)
      jitsud.child.kill('SIGHUP')
      const reloading = await socket.received(/^RELOADING=1\nMONOTONIC_USEC=\d+$/)
      await eventually(() =>
        socket.notices.slice(socket.notices.indexOf(reloading)).some(({ text }) => /^READY/.test(text)),
      )
      expect(await jitsud.end('SIGTERM')).to.equal(0)
      await socket.received(/^STOPPING=1$/)
    })

    it('keeps its place there to itself: what it starts does not know of it', async () => {
      const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] }, [], {
        NOTIFY_SOCKET: socket.name,
      })
      await ask(jitsud)
      const environment = readFileSync(`/proc/${world.starts('www')[0]}/environ`, 'utf8')
      expect(environment).to.not.contain('NOTIFY_SOCKET')
    })
  })

  it('shows in the store where its services are, and nothing when it has ended', async () => {
    const jitsud = await world.start({
      dns: DNS,
      services: [world.conduitService('www'), world.conduitService('mail')],
    })
    const environment = await openEnvironment({ backend: 'local', runtimeDir: world.runtimeDir })
    try {
      const states = async (): Promise<string> => {
        const entries = await listServiceStates(environment.store)
        return entries.map(({ name, state }) => `${name} ${state}`).join(', ')
      }
      await eventually(async () => (await states()) === 'mail stopped, www stopped')
      await ask(jitsud)
      await eventually(async () => (await states()) === 'mail stopped, www ready')
      process.kill(world.starts('www')[0]!, 'SIGKILL')
      await eventually(async () => (await states()) === 'mail stopped, www stopped')
      world.configure({ dns: DNS, services: [world.conduitService('www')] })
      jitsud.child.kill('SIGHUP')
      await eventually(async () => (await states()) === 'www stopped')
      await jitsud.end('SIGTERM')
      expect(await states()).to.equal('')
    } finally {
      await environment.close()
    }
  })

  it('keeps its state where systemd says', async () => {
    const jitsud = await world.start({ dns: DNS, services: [world.conduitService('www')] }, [], {
      STATE_DIRECTORY: world.directory,
    })
    await ask(jitsud)
    await eventually(() => readFileSync(join(world.directory, 'state.json'), 'utf8').includes('"www"'))
  })

  describe('asked by its own program', () => {
    let jitsud: JitsudProcess
    const admin = (): string[] => ['--admin', jitsud.serving.admin!]
    beforeEach(async () => {
      jitsud = await world.start({ dns: DNS, admin: ADMIN, services: [world.conduitService('www')] })
    })

    it('shows services and their states', async () => {
      const before = await world.run(['status', ...admin()])
      expect(before.output).to.match(/SERVICE +STATE .*\nwww +stopped +- +- +0 +- +www\.example\.org\n/)
      await ask(jitsud)
      const after = await world.run(['status', ...admin()])
      expect(after.output).to.match(new RegExp(`\\nwww +ready +\\d+ +${world.starts('www')[0]} +1 +ready after `))
    })

    it('draws timelines in the terminal, as JSON and as SVG', async () => {
      expect((await world.run(['timeline', ...admin()])).output).to.equal('no service was summoned yet\n')
      await ask(jitsud)
      expect((await world.run(['timeline', 'www', ...admin()])).output).to.match(
        /^www, summon 1: ready after .*\n {2}by dns, 1 asker, .*\n {2}launched /,
      )
      const { output } = await world.run(['timeline', '--json', ...admin()])
      expect(JSON.parse(output)).to.have.nested.property('[0].outcome', 'ready')
      const file = join(world.directory, 'www.svg')
      expect(await world.run(['timeline', 'www', '--svg', file, ...admin()])).to.have.property('status', 0)
      expect(readXml(readFileSync(file, 'utf8')).elements).to.include('rect')
    })

    it('says that there is no such service', async () => {
      const { status, complaints } = await world.run(['timeline', 'nobody', ...admin()])
      expect([status, complaints.startsWith('jitsud: ENOENT: ')]).to.deep.equal([1, true])
    })

    it('is found by the environment', async () => {
      const { status } = await world.run(['status'], { JITSUD_ADMIN: jitsud.serving.admin! })
      expect(status).to.equal(0)
    })
  })
})

/** Arguments of Node for a process in which a package is not installed. */
function without(name: string): string[] {
  const resolve = `export const resolve = (specifier, context, next) => {
    if (specifier !== '${name}') return next(specifier, context)
    throw Object.assign(new Error("Cannot find package '${name}'"), { code: 'ERR_MODULE_NOT_FOUND' })
  }`
  const hooks = JSON.stringify(`data:text/javascript,${encodeURIComponent(resolve)}`)
  const register = `import { register } from 'node:module'; register(${hooks})`
  return ['--import', `data:text/javascript,${encodeURIComponent(register)}`]
}

/** The pid of the local hypervisor of a runtime directory. */
function hypervisor(runtimeDir: string): number {
  const found = [...commandLines()].find(([, args]) => args.includes(HYPERVISOR_ENTRY) && args.at(-1) === runtimeDir)
  return found![0]
}

/** A port that nobody has, for a service that must know its own beforehand. */
async function freePort(): Promise<number> {
  const server = await holdPort()
  const { port } = parts(portOf(server))
  server.close()
  await once(server, 'close')
  return port
}

async function holdPort(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const portOf = (server: Server): string => `127.0.0.1:${(server.address() as { port: number }).port}`
