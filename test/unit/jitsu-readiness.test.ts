// The words by which an instance says that it is ready, and that none of them leaves a watch, a socket or a timer behind.

import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { domainOf, type InstanceDomains } from '../../src/jitsu/instance-domains.js'
import { type ReadinessContext, untilReady } from '../../src/jitsu/readiness/readiness.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { DirectoryWorld, servicesOf } from '../support/directory-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import { ScriptedInstance, ScriptedLauncher } from '../support/scripted-launcher.js'
import type { StoreGuest } from '../support/store-guest.js'
import { StoreWorld } from '../support/store-world.js'

describe('readiness', () => {
  let world: StoreWorld
  let store: XenstoreClient
  let guest: StoreGuest
  let clock: ManualClock
  let given: AbortController
  const seen: string[] = []

  beforeEach(async () => {
    world = await StoreWorld.start()
    store = await world.client(0)
    guest = await world.guest(7)
    clock = new ManualClock()
    given = new AbortController()
    seen.length = 0
  })
  afterEach(() => world.close())

  const context = (more: Partial<ReadinessContext> = {}): ReadinessContext => ({
    service: 'www',
    domains: domainOf(domid(7)),
    store,
    clock,
    signal: given.signal,
    alive: () => void seen.push('alive'),
    missing: (what) => void seen.push(what),
    ...more,
  })
  const wait = (ready: object, more: Partial<ReadinessContext> = {}): Promise<void> => {
    const [config] = servicesOf({ name: 'www', addresses: ['127.0.0.1'], ready })
    return untilReady(config!, context(more))
  }
  /** No watch of `store` is left: what happens is told to nobody. */
  const nothingWatches = async (path: string): Promise<void> => {
    const before = seen.length
    await world.dom0.write(path, 'again')
    await turns()
    expect([seen.length, clock.waiting]).to.deep.equal([before, 0])
  }

  it('by conduit is the name, held by the instance and by nobody else', async () => {
    const ready = wait({ when: 'conduit' })
    const stranger = await world.guest(8)
    await stranger.ask('register', 'www')
    await eventually(() =>
      seen.some((what) => /domain 8 holds the conduit name www, and is not of this service/.test(what)),
    )
    await stranger.withdraw('register', 'www')
    await eventually(async () => !(await world.dom0.exists('/conduit/www')))
    expect(await guest.ask('register', 'www')).to.equal('ok')
    await ready
    expect(seen.at(-1)).to.equal('alive')
    await nothingWatches('/conduit/www/listen/9')
  })

  it('by conduit is also seen when the domain becomes known after the name', async () => {
    const domids: ReturnType<typeof domid>[] = []
    let changed = (): void => undefined
    const domains: InstanceDomains = {
      domids,
      reservation: { kind: 'nobody' },
      onChange: (listener) => {
        changed = listener
        return () => undefined
      },
      close: () => undefined,
    }
    const ready = wait({ when: 'conduit' }, { domains })
    await guest.ask('register', 'www')
    await eventually(() => seen.some((what) => what.includes('domain 7 holds')))
    domids.push(domid(7))
    changed()
    await ready
  })

  it('by key is any value, or the one that is wanted', async () => {
    const any = wait({ when: 'key', key: 'data/up' })
    const one = wait({ when: 'key', key: 'data/up', value: 'yes' })
    await guest.store.write('data/up', '')
    await any
    await guest.store.write('data/up', 'no')
    await turns()
    await guest.store.write('data/up', 'yes')
    await one
    await nothingWatches('/local/domain/7/data/up')
  })

  it('by key and a delay is the one after the other', async () => {
    let done = false
    const ready = wait({ when: 'key', delaySeconds: 2 }).then(() => {
      done = true
    })
    await guest.store.write('data/jitsu/ready', '1')
    await eventually(() => clock.waiting === 1)
    clock.advance(1999)
    await turns()
    expect(done).to.equal(false)
    clock.advance(1)
    await ready
  })

  it('by key is not troubled by a guest that writes below it without end', async () => {
    const ready = wait({ when: 'key', key: 'data/up', value: 'yes' })
    for (let i = 0; i < 200; i++) await guest.store.write(`data/up/${i}`, 'x')
    await guest.store.write('data/up', 'yes')
    await ready
  })

  it('survives the loss of the store', async () => {
    let connected: { close(): void } | undefined
    const lossy = await XenstoreClient.open(async () => {
      const transport = world.store.transport(domid(0))
      connected = transport
      return transport
    })
    const ready = wait({ when: 'key', key: 'data/up' }, { store: lossy })
    await turns()
    connected!.close()
    await guest.store.write('data/up', '1')
    await ready
    await lossy.close()
  })

  it('is given up with the signal’s reason, whatever is waited for', async () => {
    for (const ready of [
      { when: 'conduit' },
      { when: 'key', key: 'data/up' },
      { when: 'port', port: 9 },
      { when: 'delay', delaySeconds: 5 },
    ]) {
      given = new AbortController()
      const waiting = wait(ready)
      await turns()
      given.abort(new Error('enough'))
      expect(await rejectionOf(waiting), ready.when).to.have.property('message', 'enough')
      expect(await rejectionOf(wait(ready)), 'aborted before').to.have.property('message', 'enough')
      await nothingWatches('/local/domain/7/data/up')
      await world.dom0.remove('/local/domain/7/data/up')
    }
  })

  describe('by port', () => {
    let server: Server
    const listen = async (port = 0): Promise<number> => {
      server = createServer((socket) => socket.on('error', () => undefined))
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as { port: number }).port
    }
    afterEach(() => void server?.close())

    it('is a connection that is accepted, asked for again and again', async () => {
      const port = await listen()
      server.close()
      await once(server, 'close')
      const ready = wait({ when: 'port', port })
      await eventually(() => clock.waiting === 1)
      await listen(port)
      await eventually(() => {
        clock.advance(500)
        return seen.includes('alive')
      })
      await ready
      expect(clock.waiting).to.equal(0)
    })

    it('that another program has is a failure before anything is started', async () => {
      const port = await listen()
      const launcher = new ScriptedLauncher('process')
      launcher.onLaunch = () => new ScriptedInstance()
      const directory = await DirectoryWorld.bare()
      const services = servicesOf({ name: 'www', addresses: ['127.0.0.1'], ready: { when: 'port', port } })
      await directory.open(services, { launchers: () => launcher })
      const error = await expectCode(directory.service().summon('dns'), 'BOOT_FAILED')
      expect(error.message).to.include(`127.0.0.1:${port} is taken`)
      expect(launcher.launches).to.have.length(0)
      await directory.close()
    })
  })
})
