// A guest that is saved and restored comes back as another domain: what was open fails on both sides, names are given out
// anew. The guest's console does not come back with it, so its programs are started beforehand and tell the store.
import { expect } from 'chai'
import { Registrar } from '../../../src/conduit/registrar.js'
import type { XenstoreClient } from '../../../src/xenstore/client.js'
import { Guest, here, nodeAppears, openStore, type RemoteProcess } from '../../support/xen-machine.js'

const IMAGE = '/root/guest.gz'
const PIPE = '/root/guest.pipe'

describe('a guest that is saved and restored', function () {
  // Half a gigabyte of its memory is compressed, and unpacked, by an emulated processor.
  this.timeout(400_000)
  let store: XenstoreClient
  let registrar: Registrar
  let guest: Guest
  let server: RemoteProcess
  let client: RemoteProcess
  let restored: number | undefined

  before(async () => {
    store = await openStore()
    registrar = await Registrar.start(await openStore())
    server = here.spawn('exec conduit-cat -kl far -e cat')
    await nodeAppears(store, '/conduit/far')
    guest = await Guest.create({ type: 'pv' })
  })

  after(async () => {
    client?.kill('SIGKILL')
    server.kill('SIGTERM')
    await server.wait()
    if (restored === undefined) await guest.destroy()
    else await here.run(`xl destroy ${restored}`)
    await here.run(`rm -f ${IMAGE} ${PIPE}`)
    await registrar.close()
    await store.close()
  })

  it('is connected both ways before', async () => {
    await guest.run(`setsid sh -c '(echo up; exec sleep 1000) | conduit-cat far 2>/tmp/why | while read line; do
      xenstore-write data/client $line; done; xenstore-write data/client "$(cat /tmp/why)"' >/dev/null 2>&1 </dev/null &`)
    await guest.run('setsid conduit-cat -kl near -e cat >/dev/null 2>&1 </dev/null &')
    await nodeAppears(store, '/conduit/near')
    expect(await nodeAppears(store, `/local/domain/${guest.domid}/data/client`)).to.equal('up')
    client = here.spawn('(echo up; exec sleep 1000) | conduit-cat near')
    await client.printed(/up/)
  })

  it('is missed by its peers once it is saved', async () => {
    const save = `mkfifo ${PIPE}; gzip -1 <${PIPE} >${IMAGE} & xl save ${guest.domid} ${PIPE}; s=$?; wait; exit $s`
    const { status, errors } = await here.run(save)
    expect(status, errors).to.equal(0)
    await client.printed(/ECONNRESET/)
  })

  it('comes back as another domain, which serves its name again', async () => {
    const { status, errors } = await here.run(`gzip -dc <${IMAGE} >${PIPE} & xl restore ${PIPE}; s=$?; wait; exit $s`)
    expect(status, errors).to.equal(0)
    restored = Number(await nodeAppears(store, '/conduit/near'))
    expect(restored).to.be.above(guest.domid)
    expect((await here.run('echo again | conduit-cat near')).output).to.equal('again\n')
  })

  it('finds its own connections reset', async () => {
    expect(await nodeAppears(store, `/local/domain/${restored}/data/client`)).to.contain('ECONNRESET')
  })
})
