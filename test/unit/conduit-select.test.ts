// Which substrate is chosen by option, by environment and by what the machine is.
import { constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { selectBackend } from '../../src/substrate/select.js'
import { canUseXen, nodeState } from '../../src/substrate/xen/presence.js'

describe('the choice of the substrate', () => {
  it('is what was asked for, whatever the machine is', () => {
    for (const onXen of [true, false]) {
      expect(selectBackend('local', () => onXen)).to.equal('local')
      expect(selectBackend('xen', () => onXen)).to.equal('xen')
    }
  })

  it('is the machine’s where nobody asks', () => {
    expect(selectBackend('', () => false)).to.equal('local')
    expect(selectBackend('', () => true)).to.equal('xen')
  })

  it('is a mistake of the caller when there is no such backend', () => {
    for (const value of ['Local', 'kvm', 'local '])
      expect(() => selectBackend(value), value).to.throw(RangeError, value)
  })
})

describe('a place to live on Xen', () => {
  let root: string
  const put = (path: string, text = '') => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'conduit-test-'))
    put('sys/hypervisor/type', 'xen\n')
    for (const device of ['evtchn', 'gntdev', 'gntalloc', 'xenbus']) put(`dev/xen/${device}`)
  })

  afterEach(() => rmSync(root, { recursive: true }))

  it('is a Xen domain with all devices and a way to the store', () => {
    expect(canUseXen(root)).to.equal(true)
    put('var/run/xenstored/socket')
    rmSync(join(root, 'dev/xen/xenbus'))
    expect(canUseXen(root)).to.equal(true)
  })

  for (const path of [
    'sys/hypervisor/type',
    'dev/xen/evtchn',
    'dev/xen/gntdev',
    'dev/xen/gntalloc',
    'dev/xen/xenbus',
  ]) {
    it(`is none without ${path}`, () => {
      rmSync(join(root, path))
      expect(canUseXen(root)).to.equal(false)
    })
  }

  it('is none on another hypervisor', () => {
    put('sys/hypervisor/type', 'kvm\n')
    expect(canUseXen(root)).to.equal(false)
  })

  it('tells a node that is missing from one that this user may not open', () => {
    const refuse = (_path: unknown, mode?: number) => {
      if (mode !== constants.F_OK) throw new Error('EACCES')
    }
    const path = join(root, 'dev/xen/gntalloc')
    expect([nodeState(path), nodeState(path, refuse), nodeState(`${path}2`)]).to.deep.equal([
      'open',
      'closed',
      'missing',
    ])
  })
})
