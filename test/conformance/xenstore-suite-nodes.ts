// Conformance: reading and writing nodes as domain 0.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { expectCode } from '../support/expect-rejection.js'
import { BASE, type StoreBench } from './xenstore-suite.js'

export function describeNodes(bench: StoreBench): void {
  const { rules } = bench.traits
  describe('nodes', () => {
    let store: XenstoreClient
    beforeEach(async () => {
      store = await bench.open()
      await store.mkdir(BASE)
    })
    afterEach(() => store.remove(BASE))

    it('gives back every byte of a value', async () => {
      const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      await store.write(`${BASE}/bytes`, value)
      expect(await store.read(`${BASE}/bytes`)).to.deep.equal(value)
    })

    it('keeps text as UTF-8', async () => {
      await store.write(`${BASE}/text`, 'ünïcode ✓')
      expect(await store.readText(`${BASE}/text`)).to.equal('ünïcode ✓')
    })

    it('keeps an empty value', async () => {
      await store.write(`${BASE}/empty`, '')
      expect(await store.read(`${BASE}/empty`)).to.have.length(0)
    })

    it('replaces a value whole', async () => {
      await store.write(`${BASE}/a`, 'a long value')
      await store.write(`${BASE}/a`, 'b')
      expect(await store.readText(`${BASE}/a`)).to.equal('b')
    })

    it('makes missing ancestors with empty values', async () => {
      await store.write(`${BASE}/a/b/c`, 'x')
      expect(await store.readText(`${BASE}/a/b`)).to.equal('')
      expect(await store.directory(`${BASE}/a`)).to.deep.equal(['b'])
    })

    it('leaves a node as it is when it is made again', async () => {
      await store.write(`${BASE}/a/b`, 'x')
      await store.mkdir(`${BASE}/a/b`)
      await store.mkdir(`${BASE}/a`)
      expect(await store.readText(`${BASE}/a/b`)).to.equal('x')
    })

    it('lists children by their names alone', async () => {
      for (const name of ['one', 'two', 'three']) await store.write(`${BASE}/${name}/deeper`, '')
      expect(await store.directory(BASE)).to.have.members(['one', 'two', 'three'])
    })

    it('lists nothing below a leaf', async () => {
      await store.write(`${BASE}/leaf`, 'x')
      expect(await store.directory(`${BASE}/leaf`)).to.deep.equal([])
    })

    it('says ENOENT for reading, listing and permissions of what is not there', async () => {
      const error = await expectCode(store.read(`${BASE}/none`), 'ENOENT')
      expect(error).to.include({ syscall: 'READ', errno: 'ENOENT', endpoint: `${BASE}/none` })
      await expectCode(store.directory(`${BASE}/none`), 'ENOENT')
      await expectCode(store.getPermissions(`${BASE}/none`), 'ENOENT')
    })

    it('tells whether a node is there', async () => {
      expect(await store.exists(`${BASE}/x`)).to.equal(false)
      await store.mkdir(`${BASE}/x`)
      expect(await store.exists(`${BASE}/x`)).to.equal(true)
    })

    it('removes a node with all below it', async () => {
      await store.write(`${BASE}/a/b/c/d`, 'x')
      await store.write(`${BASE}/a/e`, 'x')
      await store.remove(`${BASE}/a`)
      expect(await store.exists(`${BASE}/a/b/c/d`)).to.equal(false)
      expect(await store.directory(BASE)).to.deep.equal([])
    })

    it('takes the removal of what is not there, unless the parent is missing too', async () => {
      await store.remove(`${BASE}/none`)
      await expectCode(store.remove(`${BASE}/none/below`), 'ENOENT')
    })

    it('keeps the root', async () => {
      await expectCode(store.remove('/'), 'EINVAL')
      expect(await store.exists(BASE)).to.equal(true)
    })

    it('holds the largest value there is', async () => {
      const path = `${BASE}/full`
      const value = Buffer.alloc(Math.min(rules.valueBytes, 4096 - path.length - 1), 0x61)
      await store.write(path, value)
      expect((await store.read(path)).equals(value)).to.equal(true)
    })

    it('lists more names than fit into one reply', async () => {
      const names = Array.from({ length: 300 }, (_, index) => `child-with-a-long-name-${index}`)
      await Promise.all(names.map((name) => store.write(`${BASE}/wide/${name}`, '')))
      if (rules.directoryPart) {
        const raw = await bench.raw()
        expect(await raw.refusal('DIRECTORY', [`${BASE}/wide`])).to.equal('E2BIG')
      }
      expect((await store.directory(`${BASE}/wide`)).sort()).to.deep.equal(names.sort())
    })

    it('keeps a permission list in order', async () => {
      await store.mkdir(`${BASE}/p`)
      const permissions = [
        { access: 'n', domid: domid(0) },
        { access: 'b', domid: domid(0) },
      ] as const
      await store.setPermissions(`${BASE}/p`, permissions)
      expect(await store.getPermissions(`${BASE}/p`)).to.deep.equal(permissions)
    })

    it('hands the permission list of the nearest ancestor down', async () => {
      await store.setPermissions(BASE, [{ access: 'r', domid: domid(0) }])
      await store.write(`${BASE}/a/b`, '')
      expect(await store.getPermissions(`${BASE}/a/b`)).to.deep.equal([{ access: 'r', domid: 0 }])
    })

    it('knows the path of a domain', async () => {
      expect(await store.getDomainPath(domid(7))).to.equal('/local/domain/7')
    })
  })
}
