// Debian's own xenstore programs on the embedded store, through XENSTORED_PATH: libxenstore is the judge of our wire.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { formatPermission } from '../../protocol/xenstore-permissions.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { type StoreServer, serveStore } from '../../src/xenstore/store/socket-server.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import { EventLog } from '../support/event-log.js'
import { findXenstoreUtils, type ProgramResult, runUtility, type XenstoreUtils } from '../support/xenstore-utils.js'

describe('xenstore-utils on the embedded store', () => {
  let utils: XenstoreUtils
  let directory: string
  let server: StoreServer
  let store: XenstoreClient

  before(function () {
    const found = findXenstoreUtils()
    if (typeof found !== 'string') {
      utils = found
      return
    }
    if (process.env.CI === 'true') throw new Error(found)
    console.log(`      pending: ${found}`)
    this.skip()
  })
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-utils-'))
    const embedded = new EmbeddedStore()
    embedded.introduceDomain(domid(0))
    server = await serveStore(embedded, join(directory, 'socket'))
    store = await XenstoreClient.open(async () => embedded.transport(domid(0)))
  })
  afterEach(async () => {
    await store.close()
    await server.close()
    rmSync(directory, { recursive: true })
  })

  const run = (name: string, ...args: string[]): Promise<ProgramResult> => runUtility(utils, server.path, name, args)
  async function output(name: string, ...args: string[]): Promise<string> {
    const result = await run(name, ...args)
    expect(result, result.stderr).to.include({ status: 0 })
    return result.stdout
  }

  it('xenstore-write writes what xenstore-read reads', async () => {
    await output('xenstore-write', '/test/a', 'one', '/test/b', 'two words')
    expect(await store.readText('/test/b')).to.equal('two words')
    expect(await output('xenstore-read', '/test/a', '/test/b')).to.equal('one\ntwo words\n')
  })

  it('xenstore-read takes relative paths as domain 0’s', async () => {
    expect(await output('xenstore-read', 'domid')).to.equal('0\n')
  })

  it('xenstore-ls shows the tree', async () => {
    await store.write('/test/a/deep', 'x')
    await store.write('/test/b', 'y')
    expect(await output('xenstore-ls', '/test')).to.equal('a = ""\n deep = "x"\nb = "y"\n')
  })

  it('xenstore-ls shows permissions', async () => {
    await store.write('/test/a', 'x')
    await store.setPermissions('/test/a', [
      { access: 'n', domid: domid(0) },
      { access: 'r', domid: domid(5) },
    ])
    expect(await output('xenstore-ls', '-fp', '/test')).to.match(/^\/test\/a = "x" +\(n0,r5\)\n$/)
  })

  it('xenstore-list lists more than fits into one message', async () => {
    const names = Array.from({ length: 400 }, (_, index) => `a-child-with-a-long-name-${index}`)
    await Promise.all(names.map((name) => store.write(`/test/${name}`, '')))
    const listed = (await output('xenstore-list', '/test')).trim().split('\n')
    expect(listed.sort()).to.deep.equal(names.sort())
  })

  it('xenstore-exists tells by its exit code', async () => {
    await store.write('/test/a', '')
    expect((await run('xenstore-exists', '/test/a')).status).to.equal(0)
    expect((await run('xenstore-exists', '/test/none')).status).to.equal(1)
  })

  it('xenstore-rm removes a subtree, and with -t the parents that are empty then', async () => {
    await store.write('/test/a/b/c', '')
    await output('xenstore-rm', '/test/a/b')
    expect(await store.exists('/test/a')).to.equal(true)
    await store.write('/test/a/b/c', '')
    await output('xenstore-rm', '-t', '/test/a/b/c')
    expect(await store.exists('/test')).to.equal(false)
  })

  it('xenstore-chmod sets permissions, also below with -r', async () => {
    await store.write('/test/a/b', '')
    await output('xenstore-chmod', '-r', '/test', 'b0', 'r3')
    for (const path of ['/test', '/test/a/b']) {
      expect((await store.getPermissions(path)).map(formatPermission), path).to.deep.equal(['b0', 'r3'])
    }
  })

  it('reports what is not there, and a path that cannot be', async () => {
    const missing = await run('xenstore-read', '/none')
    expect(missing.status).to.equal(1)
    expect(missing.stderr).to.include('/none')
    expect((await run('xenstore-write', '/a.b', 'x')).status).to.equal(1)
  })

  it('xenstore-watch prints each change and ends after as many as asked for', async () => {
    const child = spawn(utils.program('xenstore-watch'), ['-n', '3', '/test'], { env: utils.environment(server.path) })
    const log = new EventLog()
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (const line of text.split('\n').slice(log.events.length, -1)) log.listener(line)
    })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    await log.seen('/test')
    await store.write('/test/x', '1')
    await log.seen('/test/x')
    await store.remove('/test')
    expect(await ended).to.equal(0)
    expect(log.events).to.deep.equal(['/test', '/test/x', '/test'])
  })

  it('many at once do not disturb each other', async () => {
    const numbers = Array.from({ length: 20 }, (_, index) => String(index))
    await Promise.all(numbers.map((number) => output('xenstore-write', `/test/${number}`, number)))
    const values = await Promise.all(numbers.map((number) => store.readText(`/test/${number}`)))
    expect(values).to.deep.equal(numbers)
  })
})
