// A guest that serves a name is saved and restored, and comes back as another domain. The guest's console does not come back
// with it, so its program is started beforehand. No client runs in it: Linux (6.1) has no way back for mapped grants.
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
  let client: RemoteProcess
  let restored: number | undefined

  before(async () => {
    store = await openStore()
    registrar = await Registrar.start(await openStore())
    guest = await Guest.create({ type: 'pv' })
  })

  after(async () => {
    client?.kill('SIGKILL')
    if (restored === undefined) await guest.destroy()
    else await here.run(`xl destroy ${restored}`)
    await here.run(`rm -f ${IMAGE} ${PIPE}`)
    await registrar.close()
    await store.close()
  })

  it('is connected to before', async () => {
    await guest.run('setsid conduit-cat -kl near -e cat >/dev/null 2>&1 </dev/null &')
    await nodeAppears(store, '/conduit/near')
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
})
