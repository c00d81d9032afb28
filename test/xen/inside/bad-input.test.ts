// What a guest may do to domain 0: offer pages and ports that are not for it, write nonsense where keys belong, and die
// between any two steps. Each ends in a code, and leaves nothing mapped and nothing granted.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type Domid, domid, evtchnPort, gref } from '../../../protocol/xen.js'
import { Conduit } from '../../../src/conduit/conduit.js'
import type { ConduitErrorCode } from '../../../src/errors.js'
import { XenSubstrate } from '../../../src/substrate/xen/xen-substrate.js'
import type { ConduitSocket } from '../../../src/vchan/socket.js'
import type { XenstoreClient } from '../../../src/xenstore/client.js'
import { eventually } from '../../support/eventually.js'
import { expectCode } from '../../support/expect-rejection.js'
import { grantedPages, mappedXenPages } from '../../support/xen-leftovers.js'
import { Guest, openStore, type RemoteProcess } from '../../support/xen-machine.js'
import type { Offers } from './children/granter.js'

const program = (name: string) => `node ${fileURLToPath(new URL(`./children/${name}.js`, import.meta.url))}`

describe('a guest that is hostile to domain 0', () => {
  let guest: Guest
  let peer: Domid
  let store: XenstoreClient

  before(async () => {
    guest = await Guest.create({ type: 'pv' })
    peer = domid(guest.domid)
    store = await openStore()
  })

  after(async () => {
    await store.close()
    await guest.destroy()
  })

  const nothingIsLeft = () => eventually(() => mappedXenPages() === 0 && grantedPages() === 0)

  describe('by what it offers', () => {
    let substrate: XenSubstrate
    let granter: RemoteProcess
    let offers: Offers

    before(async () => {
      substrate = await XenSubstrate.open()
      granter = guest.spawn(`${program('granter')} 0`)
      offers = JSON.parse((await granter.printed(/^\{.*\}$/m))[0]) as Offers
    })

    after(async () => {
      granter.kill('SIGKILL')
      await granter.wait()
      await substrate.close()
    })

    afterEach(nothingIsLeft)

    const map = (ref: number, access: 'r' | 'rw') => substrate.map(peer, [gref(ref)], { access })

    it('what it did grant can be mapped', async () => {
      const pages = [await map(offers.writable, 'rw'), await map(offers.readOnly, 'r')]
      expect(pages.map(({ buffer }) => new Uint8Array(buffer)[0])).to.deep.equal([17, 23])
      for (const mapping of pages) mapping.close()
    })

    for (const what of ['foreign', 'revoked'] as const) {
      it(`a page that is ${what} cannot`, () => expectCode(map(offers[what], 'r'), 'GRANT_INVALID'))
    }

    it('nor for writing what was granted for reading', () => expectCode(map(offers.readOnly, 'rw'), 'GRANT_INVALID'))

    for (const number of [0xffff, 0xffff_ffff]) {
      it(`reference ${number} was never granted`, () => expectCode(map(number, 'r'), 'GRANT_INVALID'))
    }

    it('one bad page among good ones takes all with it', () => {
      const grefs = [gref(offers.readOnly), gref(offers.foreign)]
      return expectCode(substrate.map(peer, grefs, { access: 'r' }), 'GRANT_INVALID')
    })

    it('a page is its granter’s only', () => {
      return expectCode(substrate.map(domid(0x7000), [gref(offers.writable)], { access: 'r' }), 'GRANT_INVALID')
    })

    for (const what of ['foreignPort', 'closedPort'] as const) {
      it(`its ${what} cannot be bound`, () => {
        return expectCode(substrate.bind(peer, evtchnPort(offers[what])), 'EVTCHN_INVALID')
      })
    }

    it('its port can, once', async () => {
      const bound = await substrate.bind(peer, evtchnPort(offers.port))
      await expectCode(substrate.bind(peer, evtchnPort(offers.port)), 'EVTCHN_INVALID')
      await bound.close()
    })

    it('a page that says nothing of a vchan is waited for, and given up with what was tried', async () => {
      await offer(String(offers.writable), String(offers.port))
      const conduit = await Conduit.open({ substrate: await XenSubstrate.open() })
      await expectCode(conduit.connect(`vchan://${peer}/keys`, { timeoutMs: 500 }), 'ETIMEDOUT')
      await conduit.close()
    })
  })

  /** As the guest itself would. */
  async function offer(ringRef: string, port: string): Promise<void> {
    const path = 'data/vchan/0/keys'
    const { status } = await guest.run(
      `xenstore-write -- ${path}/ring-ref '${ringRef}' ${path}/event-channel '${port}'`,
    )
    expect(status).to.equal(0)
  }

  describe('by what it writes', () => {
    let conduit: Conduit
    before(async () => {
      conduit = await Conduit.open({ substrate: await XenSubstrate.open() })
    })
    after(() => conduit.close())
    afterEach(nothingIsLeft)

    const connect = () => conduit.connect(`vchan://${peer}/keys`)

    for (const text of ['text', '', '0', '-1', '+9', '9 ', '0x9', '1e3', '4294967296', '99999999999999999999']) {
      it(`keys that say ${JSON.stringify(text)} are refused`, async () => {
        await offer(text, '5')
        await expectCode(connect(), 'CONDUIT_PROTOCOL')
        await offer('9', text)
        await expectCode(connect(), 'CONDUIT_PROTOCOL')
      })
    }

    it('keys that say what is not so are refused by the hypervisor', async () => {
      await offer('4294967295', '4294967295')
      await expectCode(connect(), 'ECONNRESET')
    })

    it('half of the keys is none', async () => {
      await guest.run('xenstore-rm data/vchan/0/keys; xenstore-write data/vchan/0/keys/ring-ref 9')
      await expectCode(connect(), 'ENOENT')
    })
  })

  describe('by its death', () => {
    let conduit: Conduit
    before(async () => {
      conduit = await Conduit.open({ substrate: await XenSubstrate.open() })
    })
    after(() => conduit.close())

    /** A server writes more: its keys with the mark of its process. */
    const LAST_STEP = { client: 23, server: 46 }
    const mortal = (role: string, step: number) => guest.spawn(`${program('mortal-peer')} ${role} 0 ${step}`)
    const stepsOf = async (running: RemoteProcess) => Number((await running.printed(/(?:lives|dies) (\d+)/))[1])
    const ENDS: readonly (ConduitErrorCode | 'end')[] = ['end', 'ENOENT', 'ECONNRESET']

    /** How this side's connection ends. */
    async function endOf(socket: ConduitSocket): Promise<string> {
      let end = 'end'
      socket.on('error', (error: Error & { code?: string }) => {
        end = error.code ?? error.message
      })
      socket.resume()
      socket.end('an answer')
      // Not events.once(), which rejects with an error that comes first.
      if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()))
      return end
    }

    async function serveOne(step: number): Promise<number> {
      const server = conduit.createServer()
      await server.listen(`vchan://${peer}/mortal`)
      const ended = once(server, 'connection').then(([socket]) => endOf(socket as ConduitSocket))
      const client = mortal('connect', step)
      const steps = await stepsOf(client)
      await client.wait()
      // Where it died before it had come the server goes on waiting for it.
      const closed = server.close().then(() => 'nobody')
      const outcome = await Promise.race([ended, closed])
      await closed
      expect(outcome).to.be.oneOf(['nobody', ...ENDS])
      await nothingIsLeft()
      return steps
    }

    async function connectOnce(step: number): Promise<number> {
      const server = mortal('serve', step)
      const steps = stepsOf(server)
      const listening = await Promise.race([server.printed(/listening/).then(() => true), steps.then(() => false)])
      if (listening) {
        const outcome = await conduit
          .connect(`vchan://${peer}/mortal`)
          .then(endOf, (error: Error & { code?: string }) => error.code)
        expect(outcome).to.be.oneOf([...ENDS, 'GRANT_INVALID', 'EVTCHN_INVALID'])
      }
      await server.wait()
      await nothingIsLeft()
      await store.remove(`/local/domain/${peer}/data/vchan`)
      return steps
    }

    for (const [role, live, lastStep] of [
      ['client', serveOne, LAST_STEP.client],
      ['server', connectOnce, LAST_STEP.server],
    ] as const) {
      it(`as a ${role} that lives leaves nothing`, async () => {
        // Or the steps below are not those of a whole life.
        expect(await live(0)).to.be.within(lastStep, 2 * lastStep)
      })

      for (let step = 1; step <= lastStep; step += 3) {
        it(`as a ${role}, at step ${step} (every third, as each is a process of its own), ends the connection and leaves nothing`, () =>
          live(step))
      }
    }
  })

  describe('that is destroyed', () => {
    for (const role of ['connect', 'serve'] as const) {
      it(`as one that was to ${role} resets the connection`, async () => {
        const doomed = await Guest.create({ type: 'pv' })
        const conduit = await Conduit.open({ substrate: await XenSubstrate.open() })
        const address = `vchan://${doomed.domid}/cat`
        // Its stdin stays open: at the end of that it would end the connection before it dies.
        let socket: ConduitSocket
        if (role === 'connect') {
          const server = conduit.createServer()
          const connection = once(server, 'connection')
          await server.listen(address)
          doomed
            .spawn('sleep 1000000 | conduit-cat -w 60 vchan://0/cat')
            .wait()
            .catch(() => undefined)
          socket = ((await connection) as [ConduitSocket])[0]
        } else {
          doomed
            .spawn('sleep 1000000 | conduit-cat -l vchan://0/cat')
            .wait()
            .catch(() => undefined)
          socket = await conduit.connect(address, { wait: true, timeoutMs: 0 })
        }
        const lost = once(socket, 'error')
        socket.resume()
        await doomed.destroy()
        expect((await lost)[0]).to.have.property('code', 'ECONNRESET')
        await conduit.close()
        await nothingIsLeft()
      })
    }
  })
})
