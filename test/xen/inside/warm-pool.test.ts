// Paused unikernels, kept by jitsud: taken by a summon, replaced, missed when somebody destroys them, gone at the end.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { holdSchema } from '../../../protocol/jitsud-hold-config.js'
import { domid } from '../../../protocol/xen.js'
import { Conduit } from '../../../src/conduit/conduit.js'
import { Registrar } from '../../../src/conduit/registrar.js'
import { Directory } from '../../../src/jitsu/directory.js'
import { HeldAddress } from '../../../src/jitsu/hold/index.js'
import { Launchers } from '../../../src/jitsu/launchers/launchers.js'
import { XenSubstrate } from '../../../src/substrate/xen/xen-substrate.js'
import type { XenstoreClient } from '../../../src/xenstore/client.js'
import { unikernelImage } from '../../../testbed/unikernel-images.js'
import { LogLines, servicesOf } from '../../support/directory-world.js'
import { eventually } from '../../support/eventually.js'
import { WatchedSubstrate } from '../../support/watched-substrate.js'
import { here, openStore } from '../../support/xen-machine.js'

const ECHO = unikernelImage('echo')

describe('unikernels that are kept warm', () => {
  let store: XenstoreClient
  let registrar: Registrar
  let folder: string
  before(async () => {
    store = await openStore()
    store.ref()
    registrar = await Registrar.start(store)
    folder = mkdtempSync('/tmp/jitsud-')
  })
  after(async () => {
    await registrar.close()
    await store.close()
    rmSync(folder, { recursive: true })
  })

  for (const type of ['pv', 'pvh'] as const) {
    describe(`as ${type}`, () => {
      let launchers: Launchers
      let directory: Directory
      let dom0: Conduit
      const name = `warm-${type}`
      const log = new LogLines()
      const service = () => directory.byName(name)!
      const size = () => service().pool?.ready ?? 0
      const has = (count: number) => eventually(() => size() === count)
      /** Names and states, as `xl list` has them, of all but dom0. */
      const listed = async (): Promise<string[]> => {
        const { output } = await here.run('xl list')
        return output
          .split('\n')
          .slice(1)
          .map((line) => line.trim().split(/\s+/))
          .filter(([first]) => first !== undefined && first !== '' && first !== 'Domain-0')
          .map(([first, , , , state]) => `${first} ${state}`)
      }
      const open = async (): Promise<void> => {
        launchers = await Launchers.open({ directory: join(folder, 'files'), xenStore: store })
        directory = await Directory.open({
          services: servicesOf({
            name,
            keepWarm: 2,
            launcher: { kind: 'xen', kernel: ECHO, memory: '8MiB', type, cmdline: 'port=echo domid={domid}' },
            ready: { when: 'key' },
          }),
          launchers: (config) => launchers.launcherOf(config),
          store,
          stateFile: join(folder, `${type}.json`),
          log,
        })
      }

      before(async () => {
        dom0 = await Conduit.open({ substrate: await XenSubstrate.open() })
        await open()
      })
      after(async () => {
        await directory.close({ stopServices: true })
        await dom0.close()
      })

      it('wait paused, without the name of their service', async () => {
        await has(2)
        const [first, second, ...more] = await listed()
        expect(more).to.deep.equal([])
        for (const line of [first, second]) expect(line).to.match(new RegExp(`^${name}\\.warm-[0-9a-f]{8} --p---$`))
      })

      it('become the service, which echoes, and are replaced', async () => {
        await service().summon('dns')
        const [timeline] = directory.timelines()
        expect(Object.keys(timeline!.steps)).to.include.members(['taken', 'unpaused', 'ready'])
        expect(timeline!.steps.built).to.equal(undefined)
        const socket = await dom0.connect(`vchan://${service().instance!.domid}/echo`)
        socket.end('hello, paused one')
        expect(await text(socket)).to.equal('hello, paused one')
        expect((await here.run(`xl domid ${name}`)).output.trim()).to.equal(String(service().instance?.domid))
        await has(2)
      })

      it('are missed when somebody destroys one that waits', async () => {
        const [line] = (await listed()).filter((one) => one.endsWith('--p---'))
        const [victim] = line!.split(' ')
        expect((await here.run(`xl destroy ${victim}`)).status).to.equal(0)
        await eventually(() => service().pool?.counters.died === 1)
        await has(2)
        expect((await listed()).filter((one) => one.startsWith(`${victim} `))).to.deep.equal([])
      })

      it('leave nothing when jitsud ends', async () => {
        await directory.close({ stopServices: true })
        expect(await listed()).to.deep.equal([])
        await open()
        await has(2)
        const socket = await service()
          .summon('dns')
          .then(() => dom0.connect(`vchan://${service().instance!.domid}/echo`))
        expect(domid(service().instance!.domid!)).to.be.greaterThan(0)
        socket.end('again')
        expect(await text(socket)).to.equal('again')
      })
    })
  }

  for (const type of ['pv', 'pvh'] as const) {
    it(`as ${type} give their provisioned channel to the first client of a held address, and the next ones their own`, async () => {
      const name = `early-${type}`
      const log = new LogLines()
      const dom0 = await Conduit.open({ substrate: await XenSubstrate.open() })
      const launchers = await Launchers.open({ directory: join(folder, 'files'), xenStore: store })
      const directory = await Directory.open({
        services: servicesOf({
          name,
          keepWarm: 1,
          launcher: { kind: 'xen', kernel: ECHO, memory: '8MiB', type, cmdline: '', provisioned: { port: 'echo' } },
          ready: { when: 'key' },
        }),
        launchers: (config) => launchers.launcherOf(config),
        store,
        log,
      })
      const service = directory.byName(name)!
      const dialed: string[] = []
      const held = await HeldAddress.listen(
        holdSchema.parse({ address: '127.0.0.1:0', handover: 'conduit' }),
        service,
        {
          connect: (address, options) => {
            dialed.push(address)
            return dom0.connect(address, options)
          },
        },
      )
      try {
        await eventually(() => service.pool?.ready === 1)
        const [host, port] = held.address.split(':')
        const client = connect(Number(port), host)
        client.write('hello')
        expect(String((await once(client, 'data'))[0])).to.equal('hello')
        const { domid: id } = service.instance!
        expect(dialed).to.deep.equal([`vchan://${id}/echo`])
        client.end()
        await once(client, 'close')
        // The guest offers another one in the ordinary way.
        const next = await dom0.connect(dialed[0]!, { wait: true })
        next.end('and again')
        expect(await text(next)).to.equal('and again')
        await eventually(() => directory.timelines()[0]?.outcome === 'ready')
      } finally {
        await held.close({ relayed: 'reset' })
        await directory.close({ stopServices: true })
        await dom0.close()
      }
    })

    it(`as ${type} serve who has bound their port while they were paused, again and again`, async () => {
      const watched = new WatchedSubstrate(await XenSubstrate.open())
      const dom0 = await Conduit.open({ substrate: watched.face })
      const launchers = await Launchers.open({ directory: join(folder, 'files'), xenStore: store })
      const [config] = servicesOf({
        name: 'bound',
        launcher: { kind: 'xen', kernel: ECHO, memory: '8MiB', type, provisioned: { port: 'echo' } },
      })
      const launcher = await launchers.launcherOf(config!)
      const context = { service: 'bound', signal: new AbortController().signal, log: () => undefined }
      try {
        for (let round = 1; round <= 5; round++) {
          const prepared = await launcher.prepare!(context)
          const connecting = dom0.connect(`vchan://${prepared.domid}/echo`)
          await eventually(() => watched.binds === round)
          const launched = await prepared.launch({ ...context, created: async () => undefined, step: () => undefined })
          const socket = await connecting
          socket.end(`round ${round}`)
          expect(await text(socket)).to.equal(`round ${round}`)
          await launched.stop('destroy')
        }
      } finally {
        await launcher.close()
        await dom0.close()
      }
    })
  }
})
