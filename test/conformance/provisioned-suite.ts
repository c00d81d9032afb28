// The first client of a server whose keys were there before it ran: one body, run on each world.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { vchanPath } from '../../protocol/conduit.js'
import { OFFSET } from '../../protocol/vchan-page.js'
import { type Domid, type Gref, gref } from '../../protocol/xen.js'
import { Conduit } from '../../src/conduit/conduit.js'
import { ConduitError } from '../../src/errors.js'
import type { EventChannel, Substrate } from '../../src/substrate/substrate.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import { ConduitSocket } from '../../src/vchan/socket.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import type { ConduitWorld } from '../support/conduit-world.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import { WatchedSubstrate } from '../support/watched-substrate.js'

/** A world in which a domain can be destroyed while it waits. */
export interface ProvisionedWorld extends ConduitWorld {
  /** As `xl destroy`, or kill -9 where a domain is a process. */
  destroy(substrate: Substrate): Promise<void>
}

/** What a toolstack does for a server, and then the server itself. */
class ProvisionedServer {
  readonly substrate: Substrate
  readonly path: string
  port!: EventChannel
  /** Where the page will be granted. */
  ringRef!: Gref
  channel: VchanChannel | undefined
  readonly #client: Domid

  private constructor(substrate: Substrate, client: Domid) {
    this.substrate = substrate
    this.#client = client
    this.path = `${vchanPath(substrate.domid, client)}/www`
  }

  static async provision(world: ConduitWorld, substrate: Substrate, client: Domid): Promise<ProvisionedServer> {
    const server = new ProvisionedServer(substrate, client)
    server.port = await substrate.listen(client)
    // References are given in order: the next one is the page's.
    const before = await substrate.share(client, 1)
    server.ringRef = gref(before.grefs[0]! + 1)
    before.close()
    // In the part of the store that is the client's as well, who on Xen is domain 0: it takes away what it has used.
    await world.dom0.mkdir(vchanPath(substrate.domid, client))
    await world.dom0.setPermissions(vchanPath(substrate.domid, client), [
      { access: 'n', domid: substrate.domid },
      { access: 'b', domid: client },
    ])
    await server.publish(world.dom0)
    return server
  }

  /** By dom0, at once. */
  async publish(dom0: XenstoreClient, keys: Record<string, string> = {}): Promise<void> {
    const all = {
      'ring-ref': String(this.ringRef),
      'event-channel': String(this.port.port),
      provisioned: '1',
      ...keys,
    }
    const rights = [
      { access: 'n', domid: this.substrate.domid },
      { access: 'r', domid: this.#client },
    ] as const
    await dom0.transaction(async (transaction) => {
      for (const [key, value] of Object.entries(all)) {
        await dom0.write(`${this.path}/${key}`, value, { transaction })
        await dom0.setPermissions(`${this.path}/${key}`, rights, { transaction })
      }
    })
  }

  /** Share the page, in-page rings and all. Nobody is told. */
  async grant(): Promise<VchanChannel> {
    const { substrate, port } = this
    const withPort = {
      share: substrate.share.bind(substrate),
      listen: async () => port,
    } as unknown as Substrate
    this.channel = await VchanChannel.serve(withPort, this.#client, { leftBytes: 1024, rightBytes: 2048 })
    expect(this.channel.ringRef).to.equal(this.ringRef)
    return this.channel
  }

  /** Boot, and echo. */
  async serve(): Promise<void> {
    await this.grant()
    await this.ring()
  }

  /** Say that the page is there, and echo. */
  async ring(): Promise<void> {
    const channel = this.channel as VchanChannel
    this.port.notify()
    void channel.connected().then(
      () => {
        const socket = new ConduitSocket(channel, {})
        socket.on('error', () => undefined).pipe(socket)
      },
      () => undefined,
    )
  }

  async close(): Promise<void> {
    await this.channel?.close()
    await this.port.close()
  }
}

export function describeProvisioned(title: string, startWorld: () => Promise<ProvisionedWorld>): void {
  describe(title, () => {
    let world: ProvisionedWorld
    let watched: WatchedSubstrate
    let client: Conduit
    let server: ProvisionedServer
    let clock: ManualClock

    beforeEach(async () => {
      world = await startWorld()
      clock = new ManualClock()
      watched = new WatchedSubstrate(await world.bare())
      client = await Conduit.open({ substrate: watched.face, clock })
      server = await ProvisionedServer.provision(world, await world.bare(), client.domid as Domid)
    })
    afterEach(async () => {
      await client.close()
      await server.close()
      await world.dom0.remove(vchanPath(server.substrate.domid, client.domid as Domid)).catch(() => undefined)
      await world.close()
    })

    const address = () => `vchan://${server.substrate.domid}/www`
    const connect = (options: object = {}): Promise<ConduitSocket> => client.connect(address(), options)
    const talk = async (connecting: Promise<ConduitSocket>, message = 'hello'): Promise<string> => {
      const socket = await connecting
      socket.end(message)
      return text(socket)
    }
    /** Has bound the port, looked in vain, and waits. */
    const waits = async (options: object = {}): Promise<Promise<ConduitSocket>[]> => {
      const connecting = connect(options)
      connecting.catch(() => undefined)
      await eventually(() => watched.answered > 0)
      await turns()
      // In a list, since a promise of a promise waits for both.
      return [connecting]
    }
    const isOver = async (promise: Promise<unknown>): Promise<boolean> =>
      Promise.race([
        promise.then(
          () => true,
          () => true,
        ),
        turns().then(() => false),
      ])

    it('waits until the server has granted its page and rung, then talks', async () => {
      const [connecting] = await waits()
      expect(await isOver(connecting!)).to.equal(false)
      await server.grant()
      expect(await isOver(connecting!)).to.equal(false)
      await server.ring()
      expect(await talk(connecting!)).to.equal('hello')
      expect(watched.binds).to.equal(1)
    })

    it('comes late, and finds the page although the server rings no more', async () => {
      await server.serve()
      expect(await talk(connect())).to.equal('hello')
    })

    it('takes bytes that the server wrote before it said alive', async () => {
      const [connecting] = await waits()
      const channel = await server.grant()
      expect(channel.write(Buffer.from('welcome'))).to.equal(7)
      server.port.notify()
      const socket = await connecting!
      expect(String((await once(socket, 'data'))[0])).to.equal('welcome')
      socket.destroy()
    })

    it('asks the store nothing between the ring and the first byte', async () => {
      const [connecting] = await waits()
      // Once the watches have had their first look: answers come in order.
      for (let rounds = 0; rounds < 3; rounds++) {
        await client.store.readText(`${server.path}/ring-ref`)
        await turns()
      }
      // Whatever is asked from now on is never answered.
      const held = holdRequests(client.store)
      const { waiting } = held
      await server.serve()
      const socket = await connecting!
      socket.write('hello')
      expect(String((await once(socket, 'data'))[0])).to.equal('hello')
      expect(waiting).to.have.length(0)
      held.release()
      socket.destroy()
    })

    it('is for one client: the next is refused, and finds nothing once the first has come', async () => {
      const [connecting] = await waits()
      const refused = await expectCode(connect(), 'ECONNREFUSED')
      expect(refused.hint).to.match(/prepared for one client/)
      await server.serve()
      const socket = await connecting!
      await turns()
      expect(await world.dom0.exists(`${server.path}/ring-ref`)).to.equal(true)
      // The first exchange is left alone.
      clock.advance(100)
      await eventually(async () => !(await world.dom0.exists(`${server.path}/ring-ref`)))
      await expectCode(connect(), 'ENOENT')
      socket.destroy()
    })

    it('leaves the keys alone that the server has published meanwhile', async () => {
      const [connecting] = await waits()
      await server.serve()
      const socket = await connecting!
      await server.publish(world.dom0, { 'event-channel': '77' })
      clock.advance(100)
      await client.store.readText(`${server.path}/ring-ref`)
      await turns()
      expect(await world.dom0.readText(`${server.path}/event-channel`)).to.equal('77')
      socket.destroy()
    })

    it('is waited for no longer than the connect may take, and is there for the next', async () => {
      const [connecting] = await waits({ timeoutMs: 5000 })
      clock.advance(5000)
      const error = await expectCode(connecting!, 'ETIMEDOUT')
      expect(error.message).to.match(/waited 5000 ms for the server to boot and grant its page/)
      watched.answered = 0
      const [again] = await waits()
      await server.serve()
      expect(await talk(again!)).to.equal('hello')
    })

    it('is given up with the signal’s reason', async () => {
      const given = new AbortController()
      const [connecting] = await waits({ signal: given.signal })
      given.abort(new Error('enough'))
      expect(await rejectionOf(connecting!)).to.have.property('message', 'enough')
    })

    it('ends with ECONNRESET when the domain dies before it rings', async () => {
      const [connecting] = await waits()
      await world.destroy(server.substrate)
      const error = await expectCode(connecting!, 'ECONNRESET')
      expect(error.message).to.match(/has gone before it served vchan:/)
    })

    it('ends with ECONNRESET when the keys are taken away', async () => {
      const [connecting] = await waits()
      await world.dom0.remove(server.path)
      await expectCode(connecting!, 'ECONNRESET')
    })

    it('breaks off afterwards as any other connection', async () => {
      const [connecting] = await waits()
      await server.serve()
      const socket = await connecting!
      const failed = once(socket, 'error')
      await world.destroy(server.substrate)
      // Where nobody but the store tells, what can still be read is waited for.
      await eventually(() => {
        clock.advance(1000)
        return socket.destroyed
      })
      expect((await failed)[0]).to.have.property('code', 'ECONNRESET')
    })

    it('does not mind rings without a page, and gives up after many', async () => {
      const [connecting] = await waits()
      let over = false
      connecting!.catch(() => (over = true))
      for (let looks = 1; looks < 16; looks++) {
        expect(over).to.equal(false)
        server.port.notify()
        await eventually(() => watched.answered > looks)
      }
      await expectCode(connecting!, 'ECONNRESET')
      expect(watched.maps).to.equal(16)
    })

    for (const [what, spoil, code] of [
      ['ring orders that cannot be', (view: DataView) => view.setUint16(OFFSET.LEFT_ORDER, 31, true), 'VCHAN_LAYOUT'],
      ['a server that is not alive', (view: DataView) => view.setUint8(OFFSET.SRV_LIVE, 0), 'ECONNRESET'],
    ] as const) {
      it(`refuses a page with ${what} at once`, async () => {
        const [connecting] = await waits()
        const channel = await server.grant()
        spoil(pageOf(channel))
        server.port.notify()
        await expectCode(connecting!, code)
      })
    }

    it('ends with what mapping failed with', async () => {
      watched.failMap = () => Promise.reject(new ConduitError('MAPPING_FAILED', 'no memory', { hint: 'have more' }))
      await expectCode(connect(), 'MAPPING_FAILED')
    })

    for (const [what, keys, code] of [
      ['a mark that is none', { provisioned: 'yes' }, 'CONDUIT_PROTOCOL'],
      ['an empty mark', { provisioned: '' }, 'CONDUIT_PROTOCOL'],
      ['a port that is none', { 'event-channel': '-3' }, 'CONDUIT_PROTOCOL'],
      ['a reference that is none', { 'ring-ref': '8 ' }, 'CONDUIT_PROTOCOL'],
      ['a port of somebody else', { 'event-channel': '60000' }, 'ECONNREFUSED'],
    ] as const) {
      it(`refuses ${what}`, async () => {
        await server.publish(world.dom0, keys)
        const error = await expectCode(connect(), code)
        expect(error.hint).to.be.a('string')
        expect(watched.maps).to.equal(0)
      })
    }

    it('without the mark is an ordinary server, which is mapped at once', async () => {
      await server.grant()
      await world.dom0.remove(`${server.path}/provisioned`)
      const socket = await connect()
      expect(watched.maps).to.equal(1)
      await turns()
      // It takes its keys back itself.
      expect(await world.dom0.exists(`${server.path}/ring-ref`)).to.equal(true)
      socket.destroy()
    })

    it('is waited for from before its keys are there', async () => {
      await world.dom0.remove(server.path)
      const connecting = connect({ wait: true })
      await turns()
      await server.publish(world.dom0)
      await eventually(() => watched.maps > 0)
      await server.serve()
      expect(await talk(connecting)).to.equal('hello')
    })
  })
}

/** The control page as its server has it. */
function pageOf(channel: VchanChannel): DataView {
  const { control } = (channel as unknown as { parts: { control: { buffer: ArrayBuffer; byteOffset?: number } } }).parts
  return new DataView(control.buffer, control.byteOffset ?? 0)
}

/** Nothing that is asked goes out until it is released. */
function holdRequests(store: XenstoreClient): { readonly waiting: unknown[]; release(): void } {
  const waiting: (() => void)[] = []
  let held = true
  const names = [
    'read',
    'write',
    'remove',
    'directory',
    'getPermissions',
    'transaction',
    'watch',
    'isDomainIntroduced',
  ] as const
  for (const name of names) {
    const original = store[name].bind(store) as (...args: unknown[]) => Promise<unknown>
    Object.assign(store, {
      [name]: async (...args: unknown[]) => {
        if (held) await new Promise<void>((resolve) => waiting.push(resolve))
        return original(...args)
      },
    })
  }
  return {
    waiting,
    release: () => {
      held = false
      for (const go of waiting) go()
    },
  }
}
