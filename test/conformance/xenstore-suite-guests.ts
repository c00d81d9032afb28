// Conformance: what a guest may do, who hears of what, and what is left of a dead domain.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { formatPermission, type Permission, parsePermission } from '../../protocol/xenstore-permissions.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { EventLog } from '../support/event-log.js'
import { expectCode } from '../support/expect-rejection.js'
import { BASE, itWhere, type StoreBench } from './xenstore-suite.js'

const SERVER = domid(1)
const CLIENT = domid(2)
const STRANGER = domid(3)

/** `perms('n0', 'b1')` */
const perms = (...entries: string[]): Permission[] => entries.map((entry) => parsePermission(entry)!)

export function describeGuests(bench: StoreBench): void {
  const { rules } = bench.traits
  describe('guests', () => {
    let dom0: XenstoreClient
    let server: XenstoreClient
    let client: XenstoreClient
    let stranger: XenstoreClient
    beforeEach(async () => {
      for (const id of [SERVER, CLIENT, STRANGER]) await bench.store.introduce!(id)
      dom0 = await bench.open()
      server = await bench.open(SERVER)
      client = await bench.open(CLIENT)
      stranger = await bench.open(STRANGER)
      await dom0.mkdir(BASE)
    })

    const permissionsOf = async (path: string) => (await dom0.getPermissions(path)).map(formatPermission)

    it('reach their own nodes by relative paths', async () => {
      expect(await client.readText('domid')).to.equal('2')
      await client.write('data/x', '1')
      expect(await dom0.readText('/local/domain/2/data/x')).to.equal('1')
    })

    it('may write under their data and nowhere else', async () => {
      await expectCode(client.write('/new', '1'), 'EACCES')
      await expectCode(client.write('/local/domain/1/data/x', '1'), 'EACCES')
      await expectCode(client.write('domid', '9'), 'EACCES')
      await expectCode(client.remove('/local/domain/2'), 'EACCES')
    })

    it(`${rules.makerOwns ? 'own what they make' : 'leave what they make to the parent’s owner'}, and pass on the rest of the list`, async () => {
      await dom0.setPermissions(BASE, perms('n0', 'b1', 'b2'))
      await client.write(`${BASE}/entry`, 'x')
      expect(await permissionsOf(`${BASE}/entry`)).to.deep.equal([rules.makerOwns ? 'n2' : 'n0', 'b1', 'b2'])
    })

    it('get rights by their own entry, before the letter for everybody', async () => {
      await dom0.write(`${BASE}/x`, '1')
      await dom0.setPermissions(`${BASE}/x`, perms('b0', 'n1', 'r2'))
      await expectCode(server.read(`${BASE}/x`), 'EACCES')
      expect(await client.readText(`${BASE}/x`)).to.equal('1')
      await expectCode(client.write(`${BASE}/x`, '2'), 'EACCES')
      await stranger.write(`${BASE}/x`, '3')
      expect(await stranger.readText(`${BASE}/x`)).to.equal('3')
    })

    it('read a leaf that is open to them under a directory that is closed', async () => {
      await dom0.write(`${BASE}/closed/leaf`, '1')
      await dom0.setPermissions(`${BASE}/closed/leaf`, perms('n0', 'r2'))
      expect(await client.readText(`${BASE}/closed/leaf`)).to.equal('1')
      await expectCode(client.directory(`${BASE}/closed`), 'EACCES')
    })

    itWhere(rules.hidesAbsence, 'are not told whether a node exists where they may not look', async () => {
      await dom0.write(`${BASE}/secret`, '1')
      await expectCode(client.read(`${BASE}/secret`), 'EACCES')
      await expectCode(client.read(`${BASE}/none`), 'EACCES')
      await dom0.setPermissions(BASE, perms('r0'))
      await expectCode(client.read(`${BASE}/none`), 'ENOENT')
    })

    it('remove what they may write, whatever the parent says', async () => {
      await dom0.write(`${BASE}/x/below`, '1')
      await dom0.setPermissions(`${BASE}/x`, perms('n0', 'w2'))
      await expectCode(stranger.remove(`${BASE}/x`), 'EACCES')
      await client.remove(`${BASE}/x`)
      expect(await dom0.exists(`${BASE}/x`)).to.equal(false)
    })

    it('change permissions of what they own, and never the owner', async () => {
      await client.write('data/x', '1')
      await client.setPermissions('data/x', perms('n2', 'r1'))
      expect(await server.readText('/local/domain/2/data/x')).to.equal('1')
      const error = await expectCode(client.setPermissions('data/x', perms('n1')), 'EACCES')
      expect(error.errno).to.equal(rules.ownerErrno)
      await expectCode(server.setPermissions('/local/domain/2/data/x', perms('n2', 'b1')), 'EACCES')
      await dom0.setPermissions('/local/domain/2/data/x', perms('n1'))
      await expectCode(client.read('data/x'), 'EACCES')
    })

    it('keep domain 0 out of nothing', async () => {
      await client.write('data/x', '1')
      await client.setPermissions('data/x', perms('n2'))
      expect(await dom0.readText('/local/domain/2/data/x')).to.equal('1')
      await dom0.write('/local/domain/2/data/x', '2')
    })

    it('are refused what is for domain 0', async () => {
      await expectCode(client.introduce(domid(9), 1, 1), 'EACCES')
      await expectCode(client.release(SERVER), 'EACCES')
      await expectCode(client.resume(SERVER), 'EACCES')
      await expectCode(client.setTarget(CLIENT, SERVER), 'EACCES')
      if (rules.refusesControl) await expectCode(client.control('check'), 'EACCES')
      else expect(await client.control('check')).to.equal('OK')
    })

    it('have the rights of their target', async () => {
      await server.write('data/x', '1')
      await expectCode(client.read('/local/domain/1/data/x'), 'EACCES')
      await dom0.setTarget(CLIENT, SERVER)
      await client.write('/local/domain/1/data/x', '2')
      expect(await server.readText('data/x')).to.equal('2')
    })

    describe('watching', () => {
      let log: EventLog
      beforeEach(() => {
        log = new EventLog()
      })

      it('hear relative paths of a relative watch', async () => {
        await client.watch('data', log.listener)
        await log.seen('data')
        await dom0.write('/local/domain/2/data/x/y', '1')
        await log.seen('data/x/y')
        expect(log.events).to.deep.equal(['data', 'data/x/y'])
      })

      it('hear nothing of what they cannot read', async () => {
        await dom0.mkdir(`${BASE}/open`)
        await dom0.setPermissions(`${BASE}/open`, perms('n0', 'r2'))
        await client.watch(BASE, log.listener)
        await log.seen(BASE)
        await dom0.write(`${BASE}/secret`, '1')
        await dom0.write(`${BASE}/open`, '1')
        await log.seen(`${BASE}/open`)
        expect(log.events).to.deep.equal([BASE, `${BASE}/open`])
      })

      it('hear that they lost the right to read, and of the removal of what they could read', async () => {
        await dom0.write(`${BASE}/x`, '1')
        await dom0.setPermissions(`${BASE}/x`, perms('n0', 'r2'))
        await dom0.write(`${BASE}/y`, '1')
        await dom0.setPermissions(`${BASE}/y`, perms('n0', 'r2'))
        await client.watch(`${BASE}/x`, log.listener)
        await client.watch(`${BASE}/y`, log.listener)
        await log.until(() => log.events.length === 2)
        log.clear()
        await dom0.setPermissions(`${BASE}/x`, perms('n0'))
        await log.seen(`${BASE}/x`)
        await dom0.remove(`${BASE}/y`)
        await log.seen(`${BASE}/y`)
      })

      it('hear of a removed directory that both ends could use', async () => {
        await dom0.mkdir(`${BASE}/listen/2`)
        await dom0.setPermissions(`${BASE}/listen/2`, perms('n0', 'b2', 'b1'))
        await server.watch(`${BASE}/listen/2`, log.listener)
        await log.seen(`${BASE}/listen/2`)
        log.clear()
        await dom0.remove(`${BASE}/listen`)
        await log.seen(`${BASE}/listen/2`)
      })

      it('hear @releaseDomain only where its permissions let them', async () => {
        const first = new EventLog()
        await dom0.watch('@releaseDomain', log.listener)
        await client.watch('@releaseDomain', first.listener)
        await first.seen('@releaseDomain')
        await log.seen('@releaseDomain')
        await bench.store.kill!(STRANGER)
        await log.until(() => log.events.length === 2)
        await dom0.setPermissions('@releaseDomain', perms('n0', 'r2'))
        await bench.store.kill!(SERVER)
        await first.until(() => first.events.length > 1)
        expect(first.events).to.deep.equal(['@releaseDomain', '@releaseDomain'])
      })

      it('leave @introduceDomain to domain 0', async () => {
        await dom0.watch('@introduceDomain', log.listener)
        await log.seen('@introduceDomain')
        await bench.store.introduce!(domid(9))
        await log.until(() => log.events.length === 2)
        expect(await dom0.isDomainIntroduced(domid(9))).to.equal(true)
        expect(await dom0.isDomainIntroduced(domid(8))).to.equal(false)
      })
    })

    describe('that die', () => {
      it('take their nodes with them, and all below those', async () => {
        await dom0.mkdir(`${BASE}/d`)
        await dom0.setPermissions(`${BASE}/d`, perms('b0'))
        await client.write(`${BASE}/d/mine`, '1')
        if (!rules.makerOwns) await dom0.setPermissions(`${BASE}/d/mine`, perms('n2'))
        await dom0.write(`${BASE}/d/mine/below`, '1')
        await server.write(`${BASE}/d/theirs`, '1')
        await bench.store.kill!(CLIENT)
        expect(await dom0.directory(`${BASE}/d`)).to.deep.equal(['theirs'])
        expect(await dom0.exists('/local/domain/2')).to.equal(false)
      })

      it('are reported when their nodes are gone already', async () => {
        let left: boolean | undefined
        const looked = new EventLog()
        await dom0.watch('@releaseDomain', async () => {
          left = await dom0.exists('/local/domain/2')
          looked.listener(String(left))
        })
        await looked.seen('true')
        await bench.store.kill!(CLIENT)
        await looked.seen('false')
      })

      it('fire watches on what was theirs', async () => {
        const log = new EventLog()
        await client.write('data/x', '1')
        await client.setPermissions('data/x', perms('n2', 'r1'))
        await server.watch('/local/domain/2/data/x', log.listener)
        await log.seen('/local/domain/2/data/x')
        log.clear()
        await bench.store.kill!(CLIENT)
        await log.seen('/local/domain/2/data/x')
      })

      it('leave no rights to the next domain of that number', async () => {
        await dom0.write(`${BASE}/x`, '1')
        await dom0.setPermissions(`${BASE}/x`, perms('n0', 'b2', 'r1'))
        await bench.store.kill!(CLIENT)
        await bench.store.introduce!(CLIENT)
        const heir = await bench.open(CLIENT)
        await expectCode(heir.read(`${BASE}/x`), 'EACCES')
        expect(await server.readText(`${BASE}/x`)).to.equal('1')
        await dom0.setPermissions(`${BASE}/x`, perms('n0', 'r2'))
        expect(await heir.readText(`${BASE}/x`)).to.equal('1')
      })

      it('lose their connections', async () => {
        const raw = await bench.raw(CLIENT)
        await bench.store.kill!(CLIENT)
        await raw.closed
      })
    })
  })
}
