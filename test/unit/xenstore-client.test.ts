// The client's requests against a store in the test's hands: order, aborts, errors, hostile replies.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import type { ConduitErrorCode } from '../../src/errors.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { ScriptedStore } from '../support/scripted-store.js'

describe('xenstore client', () => {
  let store: ScriptedStore
  let client: XenstoreClient
  beforeEach(async () => {
    store = new ScriptedStore()
    client = await XenstoreClient.open(async () => store, { reconnect: false })
  })
  afterEach(() => client.close())

  it('sends requests without waiting, and gives each its own reply in whatever order they come', async () => {
    const reads = [client.readText('/a'), client.readText('/b'), client.readText('/c')]
    const requests = [await store.next('READ'), await store.next('READ'), await store.next('READ')]
    expect(new Set(requests.map((request) => request.requestId)).size).to.equal(3)
    for (const request of requests.reverse()) store.reply(request, Buffer.from(`value of ${request.strings[0]}`))
    expect(await Promise.all(reads)).to.deep.equal(['value of /a', 'value of /b', 'value of /c'])
  })

  it('puts a value behind the path’s NUL, with NULs of its own', async () => {
    const write = client.write('/a', Buffer.from([0, 1, 0]))
    const request = await store.serve('WRITE')
    expect([...request.payload]).to.deep.equal([0x2f, 0x61, 0, 0, 1, 0])
    await write
  })

  it('rejects with the signal’s reason, and throws the late reply away', async () => {
    const abort = new AbortController()
    const reason = new Error('no patience')
    const read = client.read('/a', { signal: abort.signal })
    const request = await store.next('READ')
    abort.abort(reason)
    expect(await rejectionOf(read)).to.equal(reason)
    store.reply(request, Buffer.from('late'))
    const second = client.readText('/b')
    await store.serve('READ', Buffer.from('in time'))
    expect(await second).to.equal('in time')
  })

  it('sends nothing when the signal was aborted before', async () => {
    const signal = AbortSignal.abort(new Error('before'))
    expect(await rejectionOf(client.read('/a', { signal }))).to.have.property('message', 'before')
    expect(store.seen).to.deep.equal([])
  })

  it('ends a transaction whose start was aborted, once its number comes', async () => {
    const abort = new AbortController()
    const run = client.transaction(async () => {}, { signal: abort.signal })
    const start = await store.next('TRANSACTION_START')
    abort.abort(new Error('no patience'))
    await rejectionOf(run)
    store.reply(start, ['77'])
    const end = await store.next('TRANSACTION_END')
    expect(end).to.deep.include({ transactionId: 77, strings: ['F'] })
  })

  it('has a code for every error name, and keeps the store’s own word', async () => {
    const codes: [string, ConduitErrorCode][] = [
      ['ENOENT', 'ENOENT'],
      ['EACCES', 'EACCES'],
      ['EPERM', 'EACCES'],
      ['EINVAL', 'EINVAL'],
      ['ENOSPC', 'XENSTORE_QUOTA'],
      ['E2BIG', 'XENSTORE_QUOTA'],
      ['EQUOTA', 'XENSTORE_QUOTA'],
      ['EAGAIN', 'XENSTORE_CONFLICT'],
      ['EROFS', 'XENSTORE_ERROR'],
      ['EWHATEVER', 'XENSTORE_ERROR'],
    ]
    for (const [errno, code] of codes) {
      const write = client.write('/a', '')
      store.refuse(await store.next('WRITE'), errno)
      const error = await expectCode(write, code)
      expect(error).to.include({ errno, syscall: 'WRITE', endpoint: '/a' })
      expect(error.hint !== undefined, errno).to.equal(code === 'XENSTORE_QUOTA')
    }
  })

  it('refuses a path that cannot be without asking the store', async () => {
    for (const path of ['', '/a.b', '/a//b', '/a/', '/a\0b', '@releaseDomain']) {
      const error = await expectCode(client.read(path), 'EINVAL')
      expect(error.endpoint).to.equal(path)
    }
    expect(store.seen).to.deep.equal([])
  })

  it('refuses what does not fit into a message, which the store would answer by cutting the connection', async () => {
    const error = await expectCode(client.write('/a', Buffer.alloc(4094)), 'XENSTORE_QUOTA')
    expect(error.errno).to.equal('E2BIG')
    const write = client.write('/a', Buffer.alloc(4093))
    await store.serve('WRITE')
    await write
  })

  it('takes an empty permission list for a mistake', async () => {
    expect(await rejectionOf(client.setPermissions('/a', []))).to.be.instanceOf(RangeError)
  })

  it('leaves out permissions of reserved domids', async () => {
    const permissions = client.getPermissions('/a')
    await store.serve('GET_PERMS', ['n0', 'r32756', 'b7'])
    expect(await permissions).to.deep.equal([
      { access: 'n', domid: 0 },
      { access: 'b', domid: 7 },
    ])
  })

  it('lists a directory in parts, from the start again when it changed', async () => {
    const names = client.directory('/a')
    store.refuse(await store.next('DIRECTORY'), 'E2BIG')
    expect((await store.serve('DIRECTORY_PART', ['1', 'one', 'two'])).strings).to.deep.equal(['/a', '0'])
    expect((await store.serve('DIRECTORY_PART', ['2', 'three', ''])).strings).to.deep.equal(['/a', '8'])
    await store.serve('DIRECTORY_PART', ['2', 'one'])
    expect((await store.serve('DIRECTORY_PART', ['2', 'three', ''])).strings).to.deep.equal(['/a', '4'])
    expect(await names).to.deep.equal(['one', 'three'])
  })

  it('says that the directory is too big where the store has no parts', async () => {
    const names = client.directory('/a')
    store.refuse(await store.next('DIRECTORY'), 'E2BIG')
    store.refuse(await store.next('DIRECTORY_PART'), 'ENOSYS')
    expect((await expectCode(names, 'XENSTORE_QUOTA')).syscall).to.equal('DIRECTORY')
  })

  it('passes domain requests on as the protocol has them', async () => {
    const introduce = client.introduce(domid(3), 0x1234n, 5)
    expect((await store.serve('INTRODUCE')).payload.toString()).to.equal('3\x004660\x005\0')
    await introduce
    const quota = client.getQuota('nodes', domid(3))
    expect((await store.serve('GET_QUOTA', ['1000'])).strings).to.deep.equal(['3', 'nodes'])
    expect(await quota).to.equal(1000)
    const features = client.getFeature()
    expect((await store.serve('GET_FEATURE', ['4'])).payload).to.have.length(0)
    expect(await features).to.equal(4)
    expect(await rejectionOf(client.control('print', 'a\0b'))).to.be.instanceOf(TypeError)
  })

  it('keeps the event loop alive for replies, and otherwise as often as it was asked to', async () => {
    expect(store.referenced).to.equal(false)
    const read = client.read('/a')
    expect(await store.next('READ').then((request) => [store.referenced, store.reply(request)][0])).to.equal(true)
    await read
    expect(store.referenced).to.equal(false)
    client.ref()
    client.ref()
    client.unref()
    expect(store.referenced).to.equal(true)
    client.unref()
    client.unref()
    expect(store.referenced).to.equal(false)
  })

  it('rejects everything once it is closed, what is in flight too', async () => {
    const read = client.read('/a')
    await client.close()
    await client.close()
    await expectCode(read, 'XENSTORE_DISCONNECTED')
    await expectCode(client.read('/a'), 'XENSTORE_DISCONNECTED')
    expect(store.closed).to.equal(true)
  })

  describe('drops the connection, with XENSTORE_PROTOCOL,', () => {
    const hostile: [string, (request: Awaited<ReturnType<ScriptedStore['next']>>) => void][] = [
      ['when a reply answers nothing', (request) => store.reply(request, ['1'], { requestId: 999 })],
      ['when a reply has another type', (request) => store.reply(request, ['1'], { type: XENSTORE_TYPES.READ })],
      ['when an error has no name', (request) => store.reply(request, [], { type: XENSTORE_TYPES.ERROR })],
      ['when an error is garbage', (request) => store.refuse(request, '\x1b[31mboo')],
      ['when a list lacks its NUL', (request) => store.reply(request, Buffer.from('n0'))],
      ['when a permission is none', (request) => store.reply(request, ['x0'])],
      ['when an event has no token', (request) => store.reply(request, ['/a'], { type: XENSTORE_TYPES.WATCH_EVENT })],
      [
        'when a payload is too long',
        // One byte over the mebibyte.
        () => store.deliver(Buffer.from([3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 16, 0])),
      ],
    ]
    for (const [when, act] of hostile) {
      it(when, async () => {
        const permissions = client.getPermissions('/a')
        act(await store.next('GET_PERMS'))
        await expectCode(permissions, 'XENSTORE_PROTOCOL')
        expect(store.closed).to.equal(true)
      })
    }

    it('when a transaction has no number', async () => {
      const run = client.transaction(async () => {})
      await store.serve('TRANSACTION_START', ['x'])
      await expectCode(run, 'XENSTORE_PROTOCOL')
    })
  })
})
