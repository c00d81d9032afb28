// The xen substrate over a fake kernel: the order of its calls, and what is left when one of them fails: nothing.
import { expect } from 'chai'
import { domid, evtchnPort, gref } from '../../protocol/xen.js'
import type { ConduitError, ConduitErrorCode } from '../../src/errors.js'
import type { Wake } from '../../src/substrate/substrate.js'
import { type XenOptions, XenSubstrate } from '../../src/substrate/xen/xen-substrate.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { FakeXen } from '../support/fake-xen.js'
import { ScriptedStore } from '../support/scripted-store.js'

const PEER = domid(7)
const RINGS = { leftBytes: 65_536, rightBytes: 65_536 }

describe('the xen substrate', () => {
  let xen: FakeXen
  let store: EmbeddedStore
  let dom0: XenstoreClient
  let substrate: XenSubstrate

  const open = (options: XenOptions = {}): Promise<XenSubstrate> =>
    XenSubstrate.open({
      addon: xen.addon,
      store: async () => store.transport(domid(3)),
      readGrantLimit: () => xen.limit,
      keepOpen: xen.keepOpen,
      ...options,
    })

  beforeEach(async () => {
    xen = new FakeXen()
    store = new EmbeddedStore()
    store.introduceDomain(domid(0))
    store.introduceDomain(domid(3))
    dom0 = await XenstoreClient.open(async () => store.transport(domid(0)))
    substrate = await open()
  })

  afterEach(async () => {
    await substrate.close()
    await dom0.close()
    expect(xen.leftovers()).to.deep.equal([])
  })

  describe('pages', () => {
    it('a share keeps its grants by its mapping alone, and gives them back by closing it', async () => {
      const listening = await substrate.listen(PEER)
      const onUnmap = { byteOffset: 21, port: listening.port }
      xen.calls.length = 0
      const share = await substrate.share(PEER, 33, { onUnmap })
      expect(xen.calls).to.deep.equal([
        'deviceOpen',
        'gntallocAllocate',
        'Mapping',
        'setUnmapNotify',
        'gntallocRelease',
      ])
      expect(xen.notifications).to.deep.equal([{ index: 21, port: listening.port }])
      expect([share.grefs.length, share.bytes, xen.granted]).to.deep.equal([33, 33 * 4096, 33])
      expect(substrate.grantBudget).to.deep.equal({ limit: 1024, held: 33 })
      share.close()
      share.close()
      expect([xen.granted, substrate.grantBudget.held, share.buffer.byteLength]).to.deep.equal([0, 0, 0])
    })

    it('a mapping is unmapped before its record goes, and both once', async () => {
      const mapping = await substrate.map(PEER, [gref(9), gref(10)], { access: 'r' })
      xen.calls.length = 0
      mapping.close()
      mapping.close()
      expect(xen.calls).to.deep.equal(['unmap', 'gntdevUnmap'])
    })

    const shareSteps: [string, string, ConduitErrorCode][] = [
      ['deviceOpen', 'EACCES', 'SUBSTRATE_UNAVAILABLE'],
      ['deviceOpen', 'EMFILE', 'EMFILE'],
      ['gntallocAllocate', 'ENOMEM', 'GRANT_LIMIT'],
      ['Mapping', 'ENOMEM', 'MAPPING_FAILED'],
      ['setUnmapNotify', 'EINVAL', 'MAPPING_FAILED'],
      ['gntallocRelease', 'EINVAL', 'MAPPING_FAILED'],
    ]
    for (const [call, errno, code] of shareSteps) {
      it(`a share whose ${call} fails with ${errno} is ${code}, and holds nothing`, async () => {
        const port = (await substrate.listen(PEER)).port
        xen.fail(call, errno)
        await expectCode(substrate.share(PEER, 2, { onUnmap: { byteOffset: 21, port } }), code)
        // A release that the kernel refused leaves its record, which ends with the descriptor.
        expect([xen.granted, substrate.grantBudget.held]).to.deep.equal([call === 'gntallocRelease' ? 2 : 0, 0])
      })
    }

    const mapSteps: [string, string, ConduitErrorCode][] = [
      ['deviceOpen', 'ENOENT', 'SUBSTRATE_UNAVAILABLE'],
      ['gntdevMap', 'ENOMEM', 'MAPPING_FAILED'],
      ['Mapping', 'EINVAL', 'GRANT_INVALID'],
      ['Mapping', 'ENOMEM', 'MAPPING_FAILED'],
      ['setUnmapNotify', 'EINVAL', 'MAPPING_FAILED'],
    ]
    for (const [call, errno, code] of mapSteps) {
      it(`a mapping whose ${call} fails with ${errno} is ${code}, and leaves no record`, async () => {
        const port = (await substrate.listen(PEER)).port
        xen.fail(call, errno)
        const onUnmap = { byteOffset: 20, port }
        await expectCode(substrate.map(PEER, [gref(9)], { access: 'rw', onUnmap }), code)
        expect(xen.leftovers().filter((left) => left.startsWith('gntdev:'))).to.deep.equal([])
      })
    }

    it('a page that is paged out is tried again after a millisecond, and not for ever', async () => {
      const pauses: number[] = []
      const patient = await open({ pause: async (ms) => void pauses.push(ms) })
      xen.fail('Mapping', 'EAGAIN', 1)
      xen.fail('Mapping', 'EAGAIN', 2)
      const mapping = await patient.map(PEER, [gref(9)], { access: 'rw' })
      expect(pauses).to.deep.equal([1, 1])
      mapping.close()
      for (let i = 1; i <= 5000; i++) xen.fail('Mapping', 'EAGAIN', i)
      await expectCode(patient.map(PEER, [gref(9)], { access: 'rw' }), 'MAPPING_FAILED')
      expect(pauses).to.have.lengthOf(2 + 4999)
      await patient.close()
    })

    it('a map that a signal interrupts is tried again', async () => {
      xen.fail('Mapping', 'EINTR')
      const mapping = await substrate.map(PEER, [gref(9)], { access: 'rw' })
      expect(mapping.closed).to.equal(false)
      mapping.close()
    })

    it('an environment that closes while a page is paged out maps nothing', async () => {
      const leaving = await open({ pause: () => leaving.close() })
      xen.fail('Mapping', 'EAGAIN')
      await expectCode(leaving.map(PEER, [gref(9)], { access: 'rw' }), 'SUBSTRATE_LOST')
    })

    it('the limit is reported with who holds what, and the file that raises it', async () => {
      xen.limit = 40
      await substrate.share(PEER, 33)
      await substrate.share(domid(9), 4)
      const error = await substrate.share(PEER, 33).catch((failure: ConduitError) => failure)
      expect(error).to.include({ code: 'GRANT_LIMIT', errno: 'ENOSPC', domid: PEER })
      const { message, hint } = error as ConduitError
      expect(message).to.include('limit of 40').and.include('holds 37 (33 to domain 7, 4 to domain 9)')
      expect(hint).to.include('/sys/module/xen_gntalloc/parameters/limit')
    })

    it('pages that wait for a port which never comes are not allocated', async () => {
      const port = Promise.reject(new Error('no port'))
      const asked = substrate.share(PEER, 1, { onUnmap: { byteOffset: 21, port } })
      expect(await asked.catch((error: Error) => error.message)).to.equal('no port')
      expect(xen.calls).to.not.include('gntallocAllocate')
    })

    it('refuses pages and ports of this very domain', async () => {
      const own = substrate.domid
      await expectCode(substrate.share(own, 1), 'EINVAL')
      await expectCode(substrate.map(own, [gref(9)], { access: 'rw' }), 'EINVAL')
      await expectCode(substrate.listen(own), 'EINVAL')
      await expectCode(substrate.bind(own, evtchnPort(5)), 'EINVAL')
    })
  })

  describe('ports', () => {
    it('a port is unmasked after its handler has run, not before', async () => {
      const channel = await substrate.listen(PEER)
      const masked: boolean[] = []
      channel.onEvent(() => {
        masked.push(xen.ports.get(channel.port)!.masked)
        return 0
      })
      xen.raise(channel.port)
      xen.raise(channel.port)
      expect(masked).to.deep.equal([true, true])
    })

    it('a handler that throws leaves no port masked, and those behind it run', async () => {
      const [first, second] = [await substrate.listen(PEER), await substrate.listen(PEER)]
      let ran = 0
      first.onEvent(() => {
        throw new Error('the owner made a mistake')
      })
      second.onEvent(() => ++ran - ran)
      const listeners = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      const heard = new Promise<Error>((resolve) => process.once('uncaughtException', resolve))
      xen.raise(first.port, second.port)
      expect((await heard).message).to.equal('the owner made a mistake')
      for (const listener of listeners) process.on('uncaughtException', listener)
      expect(ran).to.equal(1)
      expect([...xen.ports.values()].filter(({ masked }) => masked)).to.deep.equal([])
    })

    it('of several that fired none spins: each is told that it brought nothing', async () => {
      const both = [await substrate.listen(PEER), await substrate.listen(PEER)]
      const wakes: Wake[] = []
      for (const channel of both) {
        channel.onEvent((wake) => {
          wakes.push(wake)
          return wake === 'event' ? 50 : 0
        })
      }
      xen.raise(...both.map(({ port }) => port))
      expect(wakes).to.deep.equal(['event', 'idle', 'event', 'idle'])
    })

    it('an overflow makes every port look and unmasks all; the descriptor is polled again', async () => {
      const heard = new Set<number>()
      for (let i = 0; i < 100; i++) {
        const channel = await substrate.listen(PEER)
        channel.onEvent(() => {
          heard.add(channel.port)
          return 0
        })
      }
      xen.overflow()
      expect(heard.size).to.equal(100)
      expect([...xen.ports.values()].filter(({ masked }) => masked)).to.deep.equal([])
      expect(xen.watcher('/dev/xen/evtchn').started).to.equal(true)
    })

    it('a port that is closed by another one in the same batch runs no handler', async () => {
      const [first, second] = [await substrate.listen(PEER), await substrate.listen(PEER)]
      let ran = 0
      first.onEvent(() => {
        void second.close()
        return 0
      })
      second.onEvent(() => ++ran)
      xen.raise(first.port, second.port)
      await second.close()
      expect(ran).to.equal(0)
      expect(xen.calls.filter((call) => call === 'evtchnUnbind')).to.have.lengthOf(1)
    })

    it('a kick that came before the handler is not delivered to a port that is closed meanwhile', async () => {
      const channel = await substrate.listen(PEER)
      let ran = 0
      xen.raise(channel.port)
      channel.onEvent(() => ++ran)
      await channel.close()
      await turns()
      expect(ran).to.equal(0)
    })

    it('a handler may close the whole environment', async () => {
      const channel = await substrate.listen(PEER)
      channel.onEvent(() => {
        void substrate.close()
        return 50
      })
      xen.raise(channel.port)
      expect(xen.leftovers()).to.deep.equal([])
    })

    it('a port that fires unbidden disturbs nobody', async () => {
      const channel = await substrate.listen(PEER)
      let ran = 0
      channel.onEvent(() => ++ran - ran)
      xen.raise(4000, channel.port)
      expect(ran).to.equal(1)
    })

    it('the event loop is held by ports that ask for it, together', async () => {
      const [first, second] = [await substrate.listen(PEER), await substrate.listen(PEER)]
      const held = () => xen.watcher('/dev/xen/evtchn').held
      first.ref()
      first.ref()
      second.ref()
      first.unref()
      expect(held()).to.equal(true)
      await second.close()
      expect(held()).to.equal(false)
    })

    const refusals: [string, ConduitErrorCode][] = [
      ['ENOSPC', 'GRANT_LIMIT'],
      ['EINVAL', 'EVTCHN_INVALID'],
      ['ENOMEM', 'SYSTEM'],
    ]
    for (const [errno, code] of refusals) {
      it(`a port that the hypervisor refuses with ${errno} is ${code}`, async () => {
        xen.fail('evtchnBind', errno)
        await expectCode(substrate.bind(PEER, evtchnPort(5)), code)
      })
    }
  })

  describe('the own domain', () => {
    it('is what the store says; one that says nonsense or nothing is no place to be', async () => {
      expect(substrate.domid).to.equal(3)
      await dom0.write('/local/domain/3/domid', 'three')
      await expectCode(open(), 'SUBSTRATE_UNAVAILABLE')
      await dom0.remove('/local/domain/3/domid')
      const error = await open().catch((failure: ConduitError) => failure)
      expect(error).to.include({ code: 'SUBSTRATE_UNAVAILABLE', errno: 'ENOENT' })
      expect((error as ConduitError).hint).to.include('xen-init-dom0')
    })

    it('a store that never answers is given up, and its connection closed', async () => {
      const silent = new ScriptedStore()
      await expectCode(open({ store: async () => silent, timeoutMs: 1 }), 'SUBSTRATE_UNAVAILABLE')
      expect(silent.closed).to.equal(true)
      const abandoned = new ScriptedStore()
      const giveUp = new AbortController()
      const opening = open({ store: async () => abandoned, signal: giveUp.signal })
      await abandoned.next('READ')
      giveUp.abort(new Error('no patience'))
      expect(await opening.catch((error: Error) => error.message)).to.equal('no patience')
      expect(abandoned.closed).to.equal(true)
    })

    it('once it is another one, what was open fails and the devices are opened anew', async () => {
      const share = await substrate.share(PEER, 1)
      const mapping = await substrate.map(PEER, [gref(9)], { access: 'rw' })
      const channel = await VchanChannel.serve(substrate, PEER, RINGS)
      const waiting = channel.connected()
      xen.restore()
      await dom0.write('/local/domain/3/domid', '12')
      await expectCode(waiting, 'ECONNRESET')
      expect([share.closed, mapping.closed, channel.state, substrate.domid]).to.deep.equal([true, true, 'closed', 12])
      expect(xen.leftovers()).to.deep.equal([])
      const again = await VchanChannel.serve(substrate, PEER, RINGS)
      expect(xen.granted).to.equal(33)
      await again.close()
    })

    it('once it is another one, the ports from before are not touched, nor is their descriptor closed', async () => {
      const channel = await VchanChannel.serve(substrate, PEER, RINGS)
      const early = await substrate.listen(PEER)
      const waiting = channel.connected()
      xen.restore()
      await dom0.write('/local/domain/3/domid', '12')
      await expectCode(waiting, 'ECONNRESET')
      await channel.close()
      await early.close()
      early.notify()
      const after = await substrate.listen(PEER)
      await after.close()
      await substrate.close()
      expect([xen.oopses, xen.abandoned, xen.leftovers()]).to.deep.equal([[], [], []])
    })

    it('once it is another one, and no process can be started to keep their descriptor, it stays open', async () => {
      const poor = await open({ keepOpen: () => undefined })
      await poor.listen(PEER)
      xen.restore()
      await dom0.write('/local/domain/3/domid', '12')
      await eventually(() => poor.domid === 12)
      await poor.close()
      expect([xen.oopses, xen.abandoned, xen.leftovers()]).to.deep.equal([[], ['/dev/xen/evtchn'], []])
    })

    it('once it is another one, a descriptor without ports is closed', async () => {
      await (await substrate.listen(PEER)).close()
      xen.restore()
      await dom0.write('/local/domain/3/domid', '12')
      await eventually(() => substrate.domid === 12)
      expect([xen.abandoned, xen.leftovers()]).to.deep.equal([[], []])
    })

    it('once it is another one, clients of the store begin anew; while it has no number nothing happens', async () => {
      const client = await XenstoreClient.open(() => substrate.xenstore())
      let reconnects = 0
      client.onReconnect(() => reconnects++)
      await dom0.remove('/local/domain/3/domid')
      await dom0.write('/local/domain/3/domid', '3')
      await client.readText('domid')
      expect([reconnects, substrate.domid]).to.deep.equal([0, 3])
      await dom0.write('/local/domain/3/domid', '12')
      await eventually(() => reconnects === 1)
      await client.close()
    })
  })
})
