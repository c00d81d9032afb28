// conduit-cat in domain 0, unchanged: a name that it serves is reached from the domain itself and from a guest, and ls and
// doctor know of it. The registrar is this test's.
import { expect } from 'chai'
import { Registrar } from '../../../src/conduit/registrar.js'
import type { XenstoreClient } from '../../../src/xenstore/client.js'
import { eventually } from '../../support/eventually.js'
import { grantedPages } from '../../support/xen-leftovers.js'
import { Guest, here, nodeAppears, openStore, type RemoteProcess } from '../../support/xen-machine.js'

describe('conduit-cat on Xen', () => {
  let registrar: Registrar
  let store: XenstoreClient
  let guest: Guest
  let server: RemoteProcess

  before(async () => {
    store = await openStore()
    registrar = await Registrar.start(await openStore())
    guest = await Guest.create({ type: 'pv' })
    server = here.spawn('exec conduit-cat -kl echo -e cat')
    const failed = server.wait().then(({ errors }) => Promise.reject(new Error(errors)))
    await Promise.race([nodeAppears(store, '/conduit/echo'), failed])
    failed.catch(() => undefined)
  })

  after(async () => {
    server.kill('SIGTERM')
    await server.wait()
    await guest.destroy()
    await registrar.close()
    await store.close()
  })

  it('serves a name to its own domain, over the local backend', async () => {
    const { status, output, errors } = await here.run('echo near | conduit-cat echo')
    expect([status, output, errors]).to.deep.equal([0, 'near\n', ''])
    expect(grantedPages()).to.equal(0)
  })

  it('and to a guest, over granted pages', async () => {
    const { status, output, errors } = await guest.run('echo far | conduit-cat echo')
    expect([status, output, errors]).to.deep.equal([0, 'far\n', ''])
    await eventually(() => grantedPages() === 0)
  })

  it('two programs of the guest at once do not disturb each other', async () => {
    const slow = guest.spawn('mkfifo /tmp/rest; (echo first; cat /tmp/rest) | conduit-cat echo')
    await slow.printed(/first/)
    const { output } = await guest.run('echo quick | conduit-cat echo')
    await guest.run('echo second > /tmp/rest')
    expect([output, (await slow.wait()).output]).to.deep.equal(['quick\n', 'first\nsecond\n'])
  })

  it('doctor finds that the xen backend works, by using it', async () => {
    expect((await here.run('conduit-cat ls')).output).to.match(/echo +0/)
    const { status, output } = await here.run('conduit-cat doctor')
    expect(output).to.match(/the xen backend works\n$/)
    expect(status).to.equal(0)
  })
})
