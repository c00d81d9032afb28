// A guest that is saved and restored comes back as another domain: what was open fails on both sides, names are given out
// anew. The guest's console does not come back with it, so its programs are started beforehand and tell the store.
import { expect } from 'chai'
import { Registrar } from '../../../src/conduit/registrar.js'
import type { XenstoreClient } from '../../../src/xenstore/client.js'
import { Guest, here, nodeAppears, openStore } from '../../support/xen-machine.js'

const IMAGE = '/root/guest.gz'
const PIPE = '/root/guest.pipe'

describe('a guest that is saved and restored', function () {
  // Half a gigabyte of its memory is compressed, and unpacked, by an emulated processor.
  this.timeout(400_000)
  let store: XenstoreClient
  let registrar: Registrar
  let restored: number | undefined

  before(async () => {
    store = await openStore()
    registrar = await Registrar.start(await openStore())
  })

  after(async () => {
    if (restored !== undefined) await here.run(`xl destroy ${restored}`)
    await here.run(`rm -f ${IMAGE} ${PIPE}`)
    await registrar.close()
    await store.close()
  })

  it('has its connections reset on both sides, and serves its names under its new number', async () => {
    const server = here.spawn('exec conduit-cat -kl far -e cat')
    await nodeAppears(store, '/conduit/far')
    const guest = await Guest.create({ type: 'pv' })
    const data = `/local/domain/${guest.domid}/data`
    await guest.run(`setsid sh -c '(echo up; exec sleep 1000) | conduit-cat far 2>/tmp/why | while read line
      do xenstore-write data/client $line; done; xenstore-write data/client "$(cat /tmp/why)"' >/dev/null 2>&1 </dev/null &`)
    await guest.run(`setsid conduit-cat -kl near -e cat >/dev/null 2>&1 </dev/null &`)
    await nodeAppears(store, '/conduit/near')
    await nodeAppears(store, `${data}/client`)
    const client = here.spawn('(echo up; exec sleep 1000) | conduit-cat near')
    await client.printed(/up/)

    const saved = await here.run(
      `mkfifo ${PIPE}; gzip -1 <${PIPE} >${IMAGE} & xl save ${guest.domid} ${PIPE}; s=$?; wait; exit $s`,
    )
    expect(saved.status, saved.errors).to.equal(0)
    await guest.gone
    await client.printed(/ECONNRESET/)
    client.kill('SIGKILL')
    await client.wait()

    const back = await here.run(`gzip -dc <${IMAGE} >${PIPE} & xl restore ${PIPE}; s=$?; wait; exit $s`)
    expect(back.status, back.errors).to.equal(0)
    restored = Number(await nodeAppears(store, '/conduit/near'))
    expect(restored).to.be.above(guest.domid)
    expect((await here.run('echo again | conduit-cat near')).output).to.equal('again\n')
    expect(await nodeAppears(store, `/local/domain/${restored}/data/client`)).to.contain('ECONNRESET')
    server.kill('SIGTERM')
    await server.wait()
  })
})
